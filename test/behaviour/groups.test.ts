// Groups and their upkeep: one leader and the workers it forked, what is replaced when, and how fast.

import { expect } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { hold, holdPhp } from "../helper/gate.ts";
import { nginx } from "../helper/nginx.ts";
import { forEachPhp, PHP_FPM } from "../helper/php.ts";
import {
  barePool,
  bodyOf,
  phpPool,
  renewed,
  tcpSpot,
  workersReach,
  type Spot,
} from "../helper/pool.ts";
import {
  alive,
  environmentOf,
  leadersAt,
  parentOf,
  sinceBoot,
  startedAt,
} from "../helper/processes.ts";
import type { Supervisor } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { runPhp } from "../helper/serving.ts";
import { underLoad, whileSending } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

forEachPhp("a static PHP pool is one leader and the workers it forked", {}, async (scene, php) => {
  const { spot, supervisor, workers } = await php.run(scene, { workers: 4 });
  const [leader, ...more] = leadersAt(spot.where);
  expect(more).toEqual([]);
  expect(new Set(workers.map(parentOf))).toEqual(new Set([leader!]));
  expect(parentOf(leader!)).toBe(supervisor.pid);
});

behaviour("group_size splits a PHP pool, down to single processes", PHP, async (scene) => {
  const pairs = await tcpSpot(scene);
  const singles = await tcpSpot(scene);
  await scene.run({
    pools: {
      pairs: phpPool(pairs, { workers: 4, group_size: 2 }),
      singles: phpPool(singles, { workers: 3, group_size: 1 }),
    },
  });
  await workersReach(pairs, 4);
  expect(leadersAt(pairs.where).length).toBe(2);
  const pids = await workersReach(singles, 3);
  expect(leadersAt(singles.where)).toEqual([]);
  for (const pid of pids) expect(environmentOf(pid)["PHP_FCGI_CHILDREN"] ?? "0").toBe("0");
});

forEachPhp(
  "a number of workers that groups cannot make up is refused by check",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const pool = php.pool(spot, { workers: 5, group_size: 2 });
    const outcome = await scene.fcgivisor(["check", "-c", scene.config({ pools: { www: pool } })]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("group_size");
  },
);

/**
 * Each of these is measured so often. Of the reloads the middle one counts, of the replacements the fastest:
 * a busy machine delays any of them, a wait of the supervisor's own would delay all.
 */
const TIMES = 5;

for (const [title, needs, pool] of [
  ["in a group", ["php-cgi"], (_: Scene, spot: Spot) => phpPool(spot)],
  ["of a php-fpm master", ["php-fpm"], (_: Scene, spot: Spot) => PHP_FPM.pool(spot)],
  ["on its own", [], (scene: Scene, spot: Spot) => barePool(scene, spot)],
] as const) {
  behaviour(
    `a killed worker is replaced at once, compared with what a reload takes: ${title}`,
    { needs },
    async (scene) => {
      const spots = await Promise.all(Array.from({ length: TIMES }, () => tcpSpot(scene)));
      const pools = Object.fromEntries(spots.map((spot, i) => [`p${i}`, pool(scene, spot)]));
      const supervisor = await scene.run({ pools });
      const reloads: number[] = [];
      const replacements: number[] = [];
      for (const [i, spot] of spots.entries()) {
        reloads.push(await timeOfReload(supervisor, `p${i}`));
        replacements.push(await timeOfReplacement(spot));
      }
      expect(Math.min(...replacements), `${replacements}`).toBeLessThan(median(reloads) / 2);
      expect(supervisor.log()).not.toMatch(/next try/);
    },
  );
}

/** Milliseconds until the new workers serve. */
async function timeOfReload(supervisor: Supervisor, pool: string): Promise<number> {
  const began = performance.now();
  const path = `/v1/reload?pool=${pool}&wait=false`;
  expect((await supervisor.http(path, { method: "POST" })).status).toBe(200);
  return performance.now() - began;
}

/** Milliseconds from the kill of a worker to the start of another in its place, as the kernel has them. */
async function timeOfReplacement(spot: Spot): Promise<number> {
  const old = await workersReach(spot, 2);
  const killed = sinceBoot();
  process.kill(old[0]!, "SIGKILL");
  const [fresh] = await renewed(spot, { count: 1, old, kept: [old[1]!] });
  return startedAt(fresh!) - killed;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

forEachPhp(
  "kill -9 of a worker under load loses the request that it had in flight, and no other",
  {},
  async (scene, php) => {
    const script = scene.fixture("php/hello.php");
    const gated = scene.fixture("php/gate.php");
    const { spot } = await php.run(scene, { workers: 3 });
    await underLoad(spot, { script }, async ({ further }) => {
      for (let kills = 0; kills < 3; kills++) {
        const old = await workersReach(spot, 3);
        const held = await hold(scene, spot, { script: gated });
        await further(5);
        process.kill(held.worker, "SIGKILL");
        await expect(held.answer).rejects.toThrow();
        await renewed(spot, { count: 1, old, kept: old.filter((pid) => pid !== held.worker) });
        await further(5);
      }
    });
  },
);

forEachPhp(
  "kill -9 of a leader under load: replaced, and nothing is lost",
  { needs: ["nginx"] },
  async (scene, php) => {
    scene.fixture("php/hello.php");
    const { spot, supervisor } = await php.run(scene, { workers: 3 });
    const front = await nginx(scene, { to: spot.where, root: scene.path("www/php") });
    const old = await workersReach(spot, 3);
    const [leader] = leadersAt(spot.where);
    const send = async () => expect((await front.get("/hello.php")).status).toBe(200);
    await whileSending(send, async ({ further }) => {
      process.kill(leader!, "SIGKILL");
      await renewed(spot, { count: 3, old });
      await further(5);
    });
    expect(alive(leader!)).toBe(false);
    expect(leadersAt(spot.where).length).toBe(1);
    expect(alive(supervisor.pid)).toBe(true);
  },
);

forEachPhp(
  "a leader's workers that are busy finish their request first",
  {},
  async (scene, php) => {
    const { spot, workers: old } = await php.run(scene);
    const held = await holdPhp(scene, spot);
    process.kill(leadersAt(spot.where)[0]!, "SIGKILL");
    const fresh = await renewed(spot, { count: 2, old, kept: [held.worker] });
    await held.finish();
    await eventually(() => !alive(held.worker));
    expect(await workersReach(spot, 2)).toEqual(fresh.toSorted((a, b) => a - b));
  },
);

for (const [title, extra] of [
  ["in a group", {}],
  ["on their own", { group_size: 1 }],
] as const) {
  behaviour(
    `max_requests recycles workers ${title} without delay or complaint`,
    PHP,
    async (scene) => {
      const spot = await tcpSpot(scene);
      const script = scene.fixture("php/pid.php");
      const pool = phpPool(spot, { max_requests: 10, ...extra });
      const supervisor = await scene.run({ pools: { www: pool } });
      const pids = new Set<string>();
      for (let i = 0; i < 200; i++) pids.add((await bodyOf(spot, { script })).split(" ")[0]!);
      expect(pids.size).toBeGreaterThanOrEqual(20);
      expect(pids.size).toBeLessThanOrEqual(24);
      expect(supervisor.log()).not.toMatch(/failed|next try|crash/i);
      await workersReach(spot, 2);
    },
  );
}

behaviour(
  "max_requests = 0 is endless, php-cgi's own default of 500 notwithstanding",
  PHP,
  async (scene) => {
    const script = scene.fixture("php/pid.php");
    const { spot } = await runPhp(scene, { workers: 1, max_requests: 0 });
    const first = await bodyOf(spot, { script });
    for (let i = 0; i < 520; i++) expect(await bodyOf(spot, { script })).toBe(first);
  },
);

behaviour(
  "a crash loop backs off, is told in few lines, recovers, and leaves other pools alone",
  {},
  async (scene) => {
    const sick = await tcpSpot(scene);
    const well = await tcpSpot(scene);
    const tally = scene.path("tally");
    const supervisor = await scene.run({
      pools: {
        sick: barePool(scene, sick, { workers: 1 }, "die-if", tally),
        well: barePool(scene, well),
      },
    });
    const wellBefore = await workersReach(well, 2);
    const [victim] = await workersReach(sick, 1);
    scene.write("tally", "", 0o666);
    process.kill(victim!, "SIGKILL");
    const tries = (): number[] => readFileSync(tally, "utf8").trim().split("\n").map(Number);
    await eventually(() => tries().length >= 4);
    const told = [...supervisor.log().matchAll(/pool sick failed .* next try in (.*)/g)];
    const times = tries();
    expect(told.length).toBeGreaterThanOrEqual(3);
    expect(told.length).toBeLessThanOrEqual(times.length);
    expect(told.at(-1)![0]).toMatch(/failed \d+ times in a row/);
    const delays = told.map(([, delay]) => millisecondsOf(delay!));
    expect(delays).toEqual(delays.toSorted((a, b) => a - b));
    expect(delays.at(-1)!).toBeGreaterThan(delays[0]! * 2);
    for (let i = 1; i < times.length; i++)
      expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(delays[i - 1]! / 1_000 - TICK_S);
    await supervisor.logged("cannot work today");
    rmSync(tally);
    await workersReach(sick, 1);
    expect(await bodyOf(sick, {})).toContain("hello");
    expect(await workersReach(well, 2)).toEqual(wellBefore);
  },
);

/** The clock of the tries ticks a hundred times a second. */
const TICK_S = 0.02;

/** Of a duration as the log has it: `400 ms`, `1.6 s`. */
function millisecondsOf(text: string): number {
  const [, number, unit] = /^([\d.]+) (ms|s)$/.exec(text)!;
  return Number(number) * (unit === "s" ? 1_000 : 1);
}
