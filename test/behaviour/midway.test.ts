// The supervisor dies by kill -9 in the middle of something: a recovery, a reload, a drain, its very
// first start. The next one knows all that serves, and finishes or ends it.

import { expect } from "bun:test";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { allLeft, crash, recovered, supervisorsOf } from "../helper/crash.ts";
import { fcgi } from "../helper/fcgi.ts";
import {
  barePool,
  bodyOf,
  gatedAt,
  gatedPool,
  inHand,
  phpPool,
  tcpSpot,
  unixSpot,
  workersReach,
  type Spot,
} from "../helper/pool.ts";
import { alive, leadersAt, listenersAt } from "../helper/processes.ts";
import { textOf } from "../helper/program.ts";
import { behaviour } from "../helper/scene.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

behaviour(
  "kill -9 in the middle of a recovery: the next start finishes it",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    let supervisor = await scene.start({ pools: { www: phpPool(spot, { workers: 3 }) } });
    const sockets = listenersAt(spot.where);
    await underLoad(spot, { script }, async ({ further }) => {
      for (const after of [0, 15, 30, 60, 90, 130, 200]) {
        await crash(supervisor);
        const begun = scene.fcgivisor(["start", "-c", supervisor.configFile]);
        const [daemon] = await eventually(
          () => {
            const pids = supervisorsOf(supervisor.configFile);
            return pids.length > 0 ? pids : null;
          },
          { every: 1 },
        );
        // Whatever the recovery is at when this is over, it must be safe to die there.
        await Bun.sleep(after);
        process.kill(daemon!, "SIGKILL");
        await eventually(() => !alive(daemon!));
        await begun;
        supervisor = await recovered(scene, supervisor);
        await further(3);
      }
      await workersReach(spot, 3);
    });
    expect(listenersAt(spot.where)).toEqual(sockets);
    expect(leadersAt(spot.where).length).toBe(1);
  },
);

behaviour(
  "kill -9 in the middle of a reload and of a drain: the next start finishes it",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    const long = scene.fixture("php/slow.php");
    let supervisor = await scene.start({ pools: { www: phpPool(spot, { workers: 3 }) } });
    await underLoad(spot, { script }, async () => {
      for (const after of [10, 40, 80, 400]) {
        const slow = fcgi(spot.where, { script: long, query: "ms=1200" });
        slow.catch(() => undefined);
        await inHand(spot);
        const reload = supervisor.control("reload");
        await Bun.sleep(after);
        await crash(supervisor);
        await reload;
        supervisor = await recovered(scene, supervisor);
        expect((await slow).body).toContain("slept");
        await workersReach(spot, 3);
      }
    });
    await eventually(() => leadersAt(spot.where).length === 1);
  },
);

behaviour(
  "kill -9 while workers of another program drain: the next start lets them go, too",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const first = barePool(scene, spot);
    const second = scene.write("www/second.pl", textOf(scene.fixture("fcgi/bare.pl")), 0o755);
    const log = { file: scene.path("fcgivisor.log") };
    const supervisor = await scene.start({ pools: { www: first }, log });
    const old = await workersReach(spot, 2);
    const slow = fcgi(spot.where, { query: "2" });
    const busy = await inHand(spot);
    scene.config({ pools: { www: { ...first, command: [second] } }, log });
    expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
    await eventually(() => old.every((pid) => pid === busy || !alive(pid)));
    await crash(supervisor);
    await recovered(scene, supervisor);
    expect((await slow).body).toContain(`${busy}`);
    await eventually(() => !alive(busy));
    await workersReach(spot, 2);
  },
);

behaviour(
  "kill -9 while a pool that the config no longer has drains: the next start closes it",
  {},
  async (scene) => {
    const [stays, goes] = [await tcpSpot(scene), await tcpSpot(scene)];
    const log = { file: scene.path("fcgivisor.log") };
    let supervisor = await scene.start({
      pools: { stays: barePool(scene, stays), goes: barePool(scene, goes) },
      log,
    });
    await workersReach(goes, 2);
    const slow = fcgi(goes.where, { query: "4" });
    const busy = await inHand(goes);
    scene.config({ pools: { stays: barePool(scene, stays) }, log });
    for (let i = 0; i < 2; i += 1) {
      await crash(supervisor);
      supervisor = await recovered(scene, supervisor);
    }
    expect((await slow).body).toContain(`${busy}`);
    await eventually(() => !alive(busy));
    await eventually(() => listenersAt(goes.where).length === 0);
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
    const log = { file: scene.path("fcgivisor.log") };
    let supervisor = await scene.start({ ...pools(here, there), log });
    const slow = [here, there].map(({ where }) => fcgi(where, { query: "2" }));
    const busy = await Promise.all([inHand(here), inHand(there)]);
    scene.rewrite(pools(there, here));
    expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
    await crash(supervisor);
    supervisor = await recovered(scene, supervisor);
    for (const answer of slow) expect((await answer).body).toContain("hello");
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
    const log = { file: scene.path("fcgivisor.log") };
    const gate = scene.write("gate", "");
    const www = barePool(scene, spot);
    for (const pools of [
      { www: gatedPool(scene, spot, gate) },
      { www, api: gatedPool(scene, next, gate) },
    ]) {
      let supervisor = await scene.start({ pools: { www }, log });
      scene.config({ pools, log });
      const reload = supervisor.control("reload");
      const at = "api" in pools ? next : spot;
      const fresh = await eventually(() => (gatedAt(at).length > 0 ? gatedAt(at) : null));
      await crash(supervisor);
      await reload;
      scene.config({ pools: { www }, log });
      supervisor = await recovered(scene, supervisor);
      rmSync(gate);
      await allLeft(fresh);
      await eventually(() => listenersAt(next.where).length === 0);
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
    const log = { file: scene.path("fcgivisor.log") };
    const config = scene.config({ pools, log });
    for (const word of ["stop", "start"]) {
      const begun = scene.fcgivisor(["start", "-c", config]);
      await workersReach(www, 2);
      await eventually(() => gatedAt(api).length === 2);
      const [daemon] = supervisorsOf(config);
      process.kill(daemon!, "SIGKILL");
      expect((await begun).code).not.toBe(0);
      if (word === "start") rmSync(gate);
      const next = await scene.fcgivisor([word, "-c", config]);
      expect(next, next.stderr).toMatchObject({ code: 0 });
      if (word === "stop") expect(listenersAt(www.where)).toEqual([]);
    }
    const pid = Number(textOf(scene.path("run/fcgivisor.pid")));
    const supervisor = scene.follow(pid, config, scene.path("run/admin.sock"), () =>
      textOf(log.file),
    );
    await workersReach(www, 2);
    await workersReach(api, 2);
    expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
  },
);

behaviour("a supervisor that dies while start asks it is no obstacle", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const socket = scene.path("run/admin.sock");
  scene.write("run/lock", "");
  const dying = createServer((connection) => {
    dying.close();
    connection.once("data", () => connection.destroy());
  });
  await new Promise<void>((resolve) => dying.listen(socket, resolve));
  const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
  expect(await bodyOf(spot, {})).toContain("hello");
  expect(await supervisor.control("stop")).toMatchObject({ code: 0 });
});
