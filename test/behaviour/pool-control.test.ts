// What is done to one pool while it runs, and the others are not touched.

import { expect } from "bun:test";
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { allLeft, crash, recovered } from "../helper/crash.ts";
import { fcgi } from "../helper/fcgi.ts";
import { hold, holdPhp } from "../helper/gate.ts";
import { divided, isStopped, stoppedAt } from "../helper/parked.ts";
import {
  barePool,
  bodyOf,
  closed,
  phpPool,
  tcpSpot,
  unixSpot,
  workersReach,
} from "../helper/pool.ts";
import { workersAt } from "../helper/processes.ts";
import type { Supervisor } from "../helper/program.ts";
import { behaviour, type Scene, WITHOUT_PTRACE } from "../helper/scene.ts";
import { secretPhp } from "../helper/pool.ts";
import { startBare, startPhp } from "../helper/serving.ts";
import { statusOf } from "../helper/status.ts";
import { whileSending } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

async function done(supervisor: Supervisor, ...words: string[]): Promise<string> {
  const outcome = await supervisor.control(...words);
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  return outcome.stdout;
}

async function refused(supervisor: Supervisor, ...words: string[]): Promise<string> {
  const outcome = await supervisor.control(...words);
  expect(outcome.code, outcome.stdout).toBe(1);
  return outcome.stderr;
}

behaviour("scale parks and wakes the workers of a static pool", PHP, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, { workers: 4 });
  const workers = await workersReach(spot, 4);
  expect(await done(supervisor, "scale", "www", "1")).toContain("1 active worker (was 4)");
  await divided(spot, 1, 3);
  expect(await done(supervisor, "scale", "www", "+2")).toContain("3 active workers (was 1)");
  await divided(spot, 3, 1);
  expect(await done(supervisor, "scale", "www", "-1")).toContain("2 active workers (was 3)");
  await divided(spot, 2, 2);
  expect(workersAt(spot.where).toSorted()).toEqual(workers.toSorted());
  await done(supervisor, "reload");
  await divided(spot, 4, 0);
});

behaviour(
  "scale starts more where there are too few, and lets them go again",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await startPhp(scene, { workers: 2 });
    const first = await workersReach(spot, 2);
    await done(supervisor, "scale", "www", "5");
    const all = await workersReach(spot, 5);
    expect(all).toEqual(expect.arrayContaining(first));
    await done(supervisor, "scale", "www", "2");
    await workersReach(spot, 2);
  },
);

behaviour("scale with a range has a static pool follow its load", PHP, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, { workers: 4, idle_timeout: "1s" });
  await done(supervisor, "scale", "www", "1..4");
  // Idle for idle_timeout.
  await eventually(() => stoppedAt(spot).length > 0);
});

behaviour("scale --save changes the config, and nothing else of it", PHP, async (scene) => {
  const { supervisor } = await startPhp(scene, { workers: 2 });
  const config = supervisor.configFile;
  const before = `# mine\n${readFileSync(config, "utf8").replace("workers = 2", "workers = 2 # two")}`;
  writeFileSync(config, before);
  chmodSync(config, 0o640);
  expect(await done(supervisor, "scale", "www", "+1", "--save")).toContain(`saved in ${config}`);
  expect(readFileSync(config, "utf8")).toBe(
    before.replace("workers = 2 # two", "workers = 3 # two"),
  );
  expect(statSync(config).mode & 0o777).toBe(0o640);
  // What the config then would not be: the file stays, and the pool is scaled all the same.
  const strict = before.replace("workers = 2 # two", "workers = 4\ngroup_size = 2");
  writeFileSync(config, strict);
  expect(await refused(supervisor, "scale", "www", "5", "--save")).toContain("is not saved");
  expect(readFileSync(config, "utf8")).toBe(strict);
  expect((await supervisor.control("scale", "www", "2..4", "--save")).code).toBe(2);
  const others = readdirSync(dirname(config)).filter((name) => name.includes("fcgivisor-"));
  expect(others).toEqual([]);
});

behaviour("what makes no sense is refused, and changes nothing", PHP, async (scene) => {
  const { spot, supervisor } = await startPhp(scene, { workers: 2 });
  for (const workers of ["0", "-2", "5..2", "many"])
    expect(await refused(supervisor, "scale", "www", workers)).toContain("examples: 8, +2");
  for (const words of [
    ["scale", "ww", "3"],
    ["pause", "ww"],
    ["resume", "ww"],
    ["stop", "ww"],
    ["restart", "ww"],
  ])
    expect(await refused(supervisor, ...words)).toContain("pools are www");
  expect(await refused(supervisor, "start", "ww")).toContain('there is no pool "ww"');
  for (const words of [["scale"], ["scale", "www"], ["pause"], ["stop", "www", "app"]])
    expect((await supervisor.control(...words)).code).toBe(2);
  for (const [path, body] of [
    ["scale", {}],
    ["scale", { pools: ["www"] }],
    ["scale", { pools: ["www", "app"], workers: "2" }],
    ["pause", {}],
    ["stop", { pool: "www" }],
  ] as const) {
    const answer = await supervisor.http(`/v1/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(400);
  }
  await divided(spot, 2, 0);
});

behaviour(
  "a paused pool finishes its requests, lets connections wait, and takes them again",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await startPhp(scene, { workers: 2 });
    const held = await holdPhp(scene, spot);
    const pausing = supervisor.control("pause", "www");
    await divided(spot, 1, 1);
    expect(isStopped(held.worker)).toBe(false);
    expect(Bun.peek.status(pausing)).toBe("pending");
    await held.finish();
    expect(await pausing).toMatchObject({ code: 0 });
    await divided(spot, 0, 2);
    expect((await supervisor.http("/readyz")).status).toBe(503);
    expect((await statusOf(supervisor)).pools[0]).toMatchObject({ state: "paused" });
    const waiting = fcgi(spot.where, { script: scene.fixture("php/hello.php") });
    await eventually(async () => (await statusOf(supervisor)).pools[0]!.queue!.length === 1);
    expect(await done(supervisor, "pause", "www")).toContain("was paused already");
    expect(await refused(supervisor, "scale", "www", "1")).toContain("resume it first");
    expect(await done(supervisor, "resume", "www")).toContain("1 connection waited");
    expect((await waiting).body).toContain("hello");
    await divided(spot, 2, 0);
    expect(await done(supervisor, "resume", "www")).toContain("was not paused");
  },
);

behaviour(
  "a pool at rest that is paused starts for nobody before it is resumed",
  PHP,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const resting = { scaling: "ondemand", workers: 2, idle_timeout: "1s", rest_timeout: "0s" };
    const pools = {
      www: phpPool(spot, resting),
      app: barePool(scene, unixSpot(scene, "app.sock")),
    };
    const supervisor = await scene.start({ pools });
    await workersReach(spot, 0);
    await done(supervisor, "pause", "www");
    const waiting = fcgi(spot.where, { script: scene.fixture("php/hello.php") });
    await eventually(async () => (await statusOf(supervisor)).pools[0]!.queue!.length === 1);
    // Whatever is done to another pool has the queues looked at.
    await done(supervisor, "scale", "app", "1");
    expect(workersAt(spot.where)).toEqual([]);
    expect(await done(supervisor, "resume", "www")).toContain("1 connection waited");
    expect((await waiting).body).toContain("hello");
  },
);

behaviour(
  "a pool that is paused is woken by the death of the supervisor, and by a reload",
  PHP,
  async (scene) => {
    const { spot, supervisor } = await startPhp(scene, { workers: 2 });
    await done(supervisor, "pause", "www");
    await crash(supervisor);
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
    const next = await recovered(scene, supervisor);
    await done(next, "pause", "www");
    await done(next, "reload", "www");
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
  },
);

behaviour(
  "where workers cannot be seen, none is parked, and that is said",
  { needs: ["php-cgi", "root"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pools = { www: phpPool(spot, { command: [secretPhp(scene)] }) };
    const supervisor = await scene.run({ pools }, { under: WITHOUT_PTRACE });
    await workersReach(spot, 2);
    for (const words of [
      ["pause", "www"],
      ["scale", "www", "1"],
    ])
      expect(await refused(supervisor, ...words)).toContain("cannot be seen");
    await divided(spot, 2, 0);
    expect((await statusOf(supervisor)).pools[0]!.state).toBe("serving");
  },
);

// ---------------------------------------------------------------- one pool stops, the others do not

async function twoPools(scene: Scene) {
  const [www, app] = [await tcpSpot(scene), unixSpot(scene, "app.sock")];
  const pools = { www: phpPool(www), app: barePool(scene, app) };
  const supervisor = await scene.start({ pools });
  return { www, app, supervisor, others: await workersReach(app, 2) };
}

behaviour("stop and start of one pool", PHP, async (scene) => {
  const { www, app, supervisor, others } = await twoPools(scene);
  const old = await workersReach(www, 2);
  const held = await hold(scene, app);
  expect(await done(supervisor, "stop", "www")).toContain("pool www stopped");
  await allLeft(old);
  await closed(www);
  const status = await statusOf(supervisor);
  expect(status.pools.map(({ name }) => name)).toEqual(["app"]);
  expect(status.stopped_pools).toEqual(["www"]);
  expect(await done(supervisor, "status")).toContain("stopped: pool www; `fcgivisor start POOL`");
  expect((await supervisor.http("/readyz")).status).toBe(200);
  expect(await done(supervisor, "start", "www")).toContain("pool www started");
  expect(await done(supervisor, "start", "www")).toContain("serves already");
  expect((await statusOf(supervisor)).stopped_pools).toEqual([]);
  expect(await bodyOf(www, { script: scene.fixture("php/hello.php") })).toContain("hello");
  await held.finish();
  expect(await workersReach(app, 2)).toEqual(others);
});

behaviour("restart of one pool", PHP, async (scene) => {
  const { www, app, supervisor, others } = await twoPools(scene);
  const old = await workersReach(www, 2);
  const held = await hold(scene, app);
  expect(await done(supervisor, "restart", "www")).toContain("pool www restarted");
  await allLeft(old);
  await workersReach(www, 2);
  await held.finish();
  expect(await workersReach(app, 2)).toEqual(others);
  const { pools } = await statusOf(supervisor);
  expect(pools.map(({ name }) => name)).toEqual(["www", "app"]);
});

behaviour("a pool that is not enabled is checked, and not run", PHP, async (scene) => {
  const [www, app] = [await tcpSpot(scene), unixSpot(scene, "app.sock")];
  const settings = (enabled: boolean) => ({
    pools: { www: phpPool(www), app: barePool(scene, app, { enabled }) },
  });
  const supervisor = await scene.start(settings(false));
  await workersReach(www, 2);
  expect((await statusOf(supervisor)).pools.map(({ name }) => name)).toEqual(["www"]);
  await closed(app);
  scene.rewrite(settings(true));
  await done(supervisor, "reload");
  await workersReach(app, 2);
  scene.rewrite(settings(false));
  await done(supervisor, "reload");
  await closed(app);
  scene.rewrite({ pools: { www: phpPool(www, { enabled: false }) } });
  expect(await refused(supervisor, "reload")).toContain("kept out by enabled = false");
  await workersReach(www, 2);
});

behaviour("stop of a pool does nothing where no supervisor runs", PHP, async (scene) => {
  const { supervisor, spot } = await startPhp(scene);
  await crash(supervisor);
  const outcome = await supervisor.control("stop", "www");
  expect(outcome.code).toBe(3);
  await workersReach(spot, 2);
  await recovered(scene, supervisor);
});

// ---------------------------------------------------------------- at random, under load

behaviour(
  "parking and waking at random under load, with deaths of the supervisor, loses nothing",
  PHP,
  async (scene) => {
    let { spot, supervisor } = await startPhp(scene, {
      workers: 6,
      scaling: "dynamic",
      idle_timeout: "1s",
    });
    const request = { script: scene.fixture("php/hello.php") };
    const body = async () => expect(await bodyOf(spot, request)).toContain("hello");
    const scale = (workers: number) =>
      supervisor.http("/v1/scale", {
        method: "POST",
        body: JSON.stringify({ pools: ["www"], workers: String(workers) }),
      });
    await whileSending(body, async ({ further }) => {
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 12; i++) {
          expect((await scale(1 + Math.floor(Math.random() * 6))).status).toBe(200);
          await further(2);
        }
        await crash(supervisor);
        await further(5);
        supervisor = await recovered(scene, supervisor);
      }
    });
  },
);

behaviour("the same with single processes", {}, async (scene) => {
  const { spot, supervisor } = await startBare(scene, { workers: 4 });
  await whileSending(
    () => bodyOf(spot, {}),
    async ({ further }) => {
      for (let i = 0; i < 30; i++) {
        await done(supervisor, "scale", "www", String(1 + (i % 4)));
        await further(2);
      }
    },
  );
});
