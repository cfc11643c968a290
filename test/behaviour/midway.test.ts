// The supervisor dies by kill -9 in the middle of something: a recovery, a reload, a drain, its very
// first start. The next one knows all that serves, and finishes or ends it.

import { expect } from "bun:test";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { allLeft, crash, killStarting, recovered, supervisorsOf } from "../helper/crash.ts";
import { fcgi } from "../helper/fcgi.ts";
import { gate, hold, holdPhp } from "../helper/gate.ts";
import { GATES, gatedPhpPool } from "../helper/gated-php.ts";
import { forEachPhp } from "../helper/php.ts";
import {
  barePool,
  bodyOf,
  closed,
  gatedAt,
  gatedPool,
  gatedReach,
  renewed,
  tcpSpot,
  unixSpot,
  workersReach,
  type Spot,
} from "../helper/pool.ts";
import { alive, commandOf, leadersAt, listenersAt, workersAt } from "../helper/processes.ts";
import { textOf, type Outcome, type Supervisor } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { startBare } from "../helper/serving.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

/** Exit code of a start whose supervisor was killed: the shell's for SIGKILL. */
const KILLED = 137;
/** Outcome of a command whose supervisor died before it had answered. */
const CUT_SHORT = { code: 1, stdout: "", stderr: expect.stringContaining("ended before") };

/** Waits until three workers serve, all of one group. */
async function oneGroupServes(spot: Spot): Promise<void> {
  await workersReach(spot, 3);
  await eventually(() => leadersAt(spot.where).length === 1, { what: "one leader is left" });
}

/** A start with the config of a supervisor that has died. */
function startIn(scene: Scene, { configFile }: Supervisor): Promise<Outcome> {
  return scene.fcgivisor(["start", "-c", configFile]);
}

forEachPhp(
  "kill -9 in the middle of a recovery, wherever it is: the next start finishes it",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    let supervisor = await scene.start({ pools: { www: gatedPhpPool(scene, php, spot, 3) } });
    const old = await workersReach(spot, 3);
    const sockets = listenersAt(spot.where);
    await underLoad(spot, { script }, async ({ further }) => {
      for (const name of GATES) {
        await crash(supervisor);
        const waits = gate(scene, name);
        const begun = startIn(scene, supervisor);
        const waiting = await waits.reached();
        await killStarting(supervisor.configFile);
        expect(await begun, name).toMatchObject({ code: KILLED, stdout: "" });
        expect(alive(waiting), name).toBe(true);
        await further(3);
        waits.open();
        supervisor = await recovered(scene, supervisor);
        await further(3);
        await allLeft([...old, waiting]);
      }
      await oneGroupServes(spot);
    });
    expect(listenersAt(spot.where)).toEqual(sockets);
  },
);

forEachPhp(
  "kill -9 while left-over workers finish their requests: the next start lets them, too",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    let supervisor = await scene.start({ pools: { www: php.pool(spot, { workers: 3 }) } });
    const sockets = listenersAt(spot.where);
    const held = await holdPhp(scene, spot);
    await underLoad(spot, { script }, async ({ further }) => {
      for (let i = 0; i < 3; i++) {
        const before = workersAt(spot.where).filter((pid) => pid !== held.worker);
        await crash(supervisor);
        supervisor = await recovered(scene, supervisor);
        await allLeft(before);
        expect(alive(held.worker)).toBe(true);
        await further(3);
      }
      await held.finish();
      await allLeft([held.worker]);
    });
    await oneGroupServes(spot);
    expect(listenersAt(spot.where)).toEqual(sockets);
  },
);

/** Shares of the time that a recovery takes which nobody disturbs. */
const MOMENTS = [0, 0.3, 0.6, 0.9];

forEachPhp(
  "kill -9 at any moment of a recovery, nothing holding it: the next start finishes it",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    let supervisor = await scene.start({ pools: { www: php.pool(spot, { workers: 3 }) } });
    const sockets = listenersAt(spot.where);
    await underLoad(spot, { script }, async ({ further }) => {
      await crash(supervisor);
      const began = performance.now();
      supervisor = await recovered(scene, supervisor);
      const whole = performance.now() - began;
      for (const share of MOMENTS) {
        await crash(supervisor);
        const begun = startIn(scene, supervisor);
        const look = () => supervisorsOf(supervisor.configFile).length === 1;
        await eventually(look, { every: 1, what: "the start has brought up a supervisor" });
        await Bun.sleep(share * whole);
        await killStarting(supervisor.configFile);
        // Which of the two it is depends on the moment; anything else is wrong at any.
        expect([0, KILLED], `after ${share} of ${whole} ms`).toContain((await begun).code);
        supervisor = await recovered(scene, supervisor);
        await further(3);
      }
      await oneGroupServes(spot);
    });
    expect(listenersAt(spot.where)).toEqual(sockets);
  },
);

forEachPhp(
  "kill -9 in the middle of a reload, wherever it is: the next start finishes it",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    let supervisor = await scene.start({ pools: { www: gatedPhpPool(scene, php, spot, 3) } });
    await underLoad(spot, { script }, async ({ further }) => {
      for (const name of GATES) {
        const old = await workersReach(spot, 3);
        const waits = gate(scene, name);
        const reload = supervisor.control("reload");
        const waiting = await waits.reached();
        await crash(supervisor);
        expect(await reload, name).toMatchObject(CUT_SHORT);
        expect([waiting, ...old].every(alive), name).toBe(true);
        await further(3);
        waits.open();
        supervisor = await recovered(scene, supervisor);
        await allLeft([...old, waiting]);
        await oneGroupServes(spot);
      }
    });
  },
);

forEachPhp(
  "kill -9 in the middle of a reload's drain: the next start finishes it",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    let supervisor = await scene.start({ pools: { www: php.pool(spot, { workers: 3 }) } });
    const old = await workersReach(spot, 3);
    await underLoad(spot, { script }, async () => {
      const held = await holdPhp(scene, spot);
      const reload = supervisor.control("reload");
      const others = old.filter((pid) => pid !== held.worker);
      await allLeft(others);
      const fresh = workersAt(spot.where).filter((pid) => pid !== held.worker);
      expect(fresh.length).toBe(3);
      await crash(supervisor);
      expect(await reload).toMatchObject(CUT_SHORT);
      supervisor = await recovered(scene, supervisor);
      await allLeft(fresh);
      expect(alive(held.worker)).toBe(true);
      await held.finish();
      await allLeft([held.worker]);
      await oneGroupServes(spot);
    });
  },
);

behaviour(
  "kill -9 while workers of another program drain: the next start lets them go, too",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const first = barePool(scene, spot);
    const second = scene.write("www/second.pl", textOf(scene.fixture("fcgi/bare.pl")), 0o755);
    const supervisor = await scene.start({ pools: { www: first } });
    const old = await workersReach(spot, 2);
    const held = await hold(scene, spot);
    scene.rewrite({ pools: { www: { ...first, command: [second] } } });
    expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
    await allLeft(old.filter((pid) => pid !== held.worker));
    await crash(supervisor);
    await recovered(scene, supervisor);
    await renewed(spot, { count: 2, old, kept: [held.worker] });
    await held.finish();
    await allLeft([held.worker]);
    const programs = (await workersReach(spot, 2)).map((pid) => commandOf(pid)[1]);
    expect(programs).toEqual([second, second]);
  },
);

behaviour(
  "kill -9 while a pool that the config no longer has drains: the next start closes it",
  {},
  async (scene) => {
    const [stays, goes] = [await tcpSpot(scene), await tcpSpot(scene)];
    let supervisor = await scene.start({
      pools: { stays: barePool(scene, stays), goes: barePool(scene, goes) },
    });
    const old = await workersReach(goes, 2);
    const held = await hold(scene, goes);
    scene.rewrite({ pools: { stays: barePool(scene, stays) } });
    for (let i = 0; i < 2; i += 1) {
      await crash(supervisor);
      supervisor = await recovered(scene, supervisor);
      await allLeft(old.filter((pid) => pid !== held.worker));
      expect(workersAt(goes.where)).toEqual([held.worker]);
    }
    await held.finish();
    await allLeft([held.worker]);
    await closed(goes);
    await expect(fcgi(goes.where)).rejects.toMatchObject({ kind: "refused" });
  },
);

behaviour(
  "kill -9 while two pools swap their addresses: the next start keeps both sockets",
  {},
  async (scene) => {
    const [here, there] = [unixSpot(scene, "here.sock"), unixSpot(scene, "there.sock")];
    const pools = (one: Spot, two: Spot) => ({
      pools: { one: barePool(scene, one), two: barePool(scene, two) },
    });
    let supervisor = await scene.start(pools(here, there));
    const held = [await hold(scene, here), await hold(scene, there)];
    const busy = held.map(({ worker }) => worker);
    const sockets = [here, there].map(({ where }) => listenersAt(where));
    scene.rewrite(pools(there, here));
    expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
    expect(busy.every(alive)).toBe(true);
    await crash(supervisor);
    supervisor = await recovered(scene, supervisor);
    expect([here, there].map(({ where }) => listenersAt(where))).toEqual(sockets);
    expect(busy.every(alive)).toBe(true);
    for (const { finish } of held) await finish();
    await allLeft(busy);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    for (const spot of [here, there]) expect(await bodyOf(spot, {})).toContain("hello");
  },
);

behaviour(
  "kill -9 while a reload opens a new address, with another program: the next start knows both",
  {},
  async (scene) => {
    const [spot, next] = [await tcpSpot(scene), await tcpSpot(scene)];
    const gate = scene.write("gate", "");
    const www = barePool(scene, spot);
    for (const pools of [
      { www: gatedPool(scene, spot, gate) },
      { www, api: gatedPool(scene, next, gate) },
    ]) {
      let supervisor = await scene.start({ pools: { www } });
      const old = await workersReach(spot, 2);
      scene.rewrite({ pools });
      const reload = supervisor.control("reload");
      const at = "api" in pools ? next : spot;
      const fresh = await eventually(() => (gatedAt(at).length > 0 ? gatedAt(at) : null));
      await crash(supervisor);
      expect(await reload).toMatchObject(CUT_SHORT);
      scene.rewrite({ pools: { www } });
      supervisor = await recovered(scene, supervisor);
      rmSync(gate);
      await allLeft([...old, ...fresh]);
      await closed(next);
      expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
      await supervisor.gone();
      scene.write("gate", "");
    }
  },
);

behaviour(
  "kill -9 while the first start brings up workers: stop ends them, and start takes them over",
  {},
  async (scene) => {
    const [www, api] = [await tcpSpot(scene), unixSpot(scene)];
    const gate = scene.write("gate", "");
    const pools = { www: barePool(scene, www), api: gatedPool(scene, api, gate) };
    const config = scene.daemonConfig({ pools });
    for (const word of ["stop", "start"]) {
      const begun = scene.fcgivisor(["start", "-c", config]);
      await workersReach(www, 2);
      await gatedReach(api, 2);
      await killStarting(config);
      expect(await begun).toMatchObject({ code: KILLED, stdout: "" });
      if (word === "start") rmSync(gate);
      const next = await scene.fcgivisor([word, "-c", config]);
      expect(next, next.stderr).toMatchObject({ code: 0 });
      if (word === "stop") expect(listenersAt(www.where)).toEqual([]);
    }
    const supervisor = scene.followDaemon(config);
    await workersReach(www, 2);
    await workersReach(api, 2);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  },
);

behaviour("a supervisor that dies while start asks it is no obstacle", {}, async (scene) => {
  const socket = scene.path("run/admin.sock");
  scene.write("run/lock", "");
  let asked = 0;
  // Who only looks whose socket it is sends nothing.
  const dying = createServer((connection) => {
    connection.once("data", () => {
      dying.close();
      asked++;
      connection.destroy();
    });
  });
  await new Promise<void>((resolve) => dying.listen(socket, resolve));
  const { spot, supervisor } = await startBare(scene);
  expect(asked).toBe(1);
  expect(await bodyOf(spot, {})).toContain("hello");
  expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
});
