// Groups and their upkeep: one leader and the workers it forked, what is replaced when, and how fast.

import { expect } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { fcgi } from "../helper/fcgi.ts";
import { load, type LoadReport } from "../helper/load.ts";
import { nginx } from "../helper/nginx.ts";
import {
  barePool,
  bodyOf,
  inHand,
  phpPool,
  tcpSpot,
  workersReach,
  type Spot,
} from "../helper/pool.ts";
import { alive, environmentOf, leadersAt, parentOf, workersAt } from "../helper/processes.ts";
import { behaviour } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const PHP = { needs: ["php-cgi"] } as const;

behaviour("a static PHP pool is one leader and the workers it forked", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.run({ pools: { www: phpPool(spot, { workers: 4 }) } });
  const workers = await workersReach(spot, 4);
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

behaviour(
  "a number of workers that groups cannot make up is refused by check",
  PHP,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = phpPool(spot, { workers: 5, group_size: 2 });
    const outcome = await scene.fcgivisor(["check", "-c", scene.config({ pools: { www: pool } })]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("group_size");
  },
);

behaviour("a killed worker is back within milliseconds: in a group", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  await scene.run({ pools: { www: phpPool(spot) } });
  await killAndTime(spot, 2);
});

behaviour("a killed worker is back within milliseconds: on its own", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  await scene.run({ pools: { www: barePool(scene, spot) } });
  await killAndTime(spot, 2);
});

/** Kills a worker; another must serve in its place well before any back-off could have passed. */
async function killAndTime(spot: Spot, count: number): Promise<void> {
  const before = await workersReach(spot, count);
  process.kill(before[0]!, "SIGKILL");
  const began = performance.now();
  await eventually(
    () => {
      const now = workersAt(spot.where);
      return now.length === count && !now.includes(before[0]!);
    },
    { every: 2 },
  );
  expect(performance.now() - began).toBeLessThan(400 * 4);
}

behaviour(
  "kill -9 of a worker under load loses no more than what it had in hand",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    await scene.run({ pools: { www: phpPool(spot, { workers: 3 }) } });
    const running = load({ rate: 150, count: 450, send: () => bodyOf(spot, { script }) });
    let kills = 0;
    while (kills < 5) {
      const [victim] = workersAt(spot.where);
      process.kill(victim!, "SIGKILL");
      kills++;
      await eventually(() => workersAt(spot.where).length === 3);
    }
    const report = await running;
    expect(report.lostTotal, report.messages.join("\n")).toBeLessThanOrEqual(kills);
    await workersReach(spot, 3);
  },
);

behaviour(
  "kill -9 of a leader under load: replaced, and nothing is lost",
  { needs: ["php-cgi", "nginx"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    scene.fixture("php/hello.php");
    const supervisor = await scene.run({ pools: { www: phpPool(spot, { workers: 3 }) } });
    const front = await nginx(scene, { to: spot.where, root: scene.path("www/php") });
    const old = [...leadersAt(spot.where), ...(await workersReach(spot, 3))];
    const running: Promise<LoadReport> = load({
      rate: 150,
      count: 450,
      send: () => front.get("/hello.php"),
    });
    process.kill(old[0]!, "SIGKILL");
    await eventually(() => old.every((pid) => !alive(pid)) && leadersAt(spot.where).length === 1);
    await workersReach(spot, 3);
    const report = await running;
    expect(report.lost, report.messages.join("\n")).toEqual({});
    expect(alive(supervisor.pid)).toBe(true);
  },
);

behaviour("a leader's workers that are busy finish their request first", PHP, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("php/slow.php");
  await scene.run({ pools: { www: phpPool(spot) } });
  await workersReach(spot, 2);
  const slow = fcgi(spot.where, { script, query: "ms=1200" });
  const busy = await inHand(spot);
  process.kill(leadersAt(spot.where)[0]!, "SIGKILL");
  expect((await slow).body).toBe(`slept ${busy}`);
  await eventually(() => !alive(busy));
  await workersReach(spot, 2);
});

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
      const began = performance.now();
      const pids = new Set<string>();
      for (let i = 0; i < 200; i++) pids.add((await bodyOf(spot, { script })).split(" ")[0]!);
      expect(performance.now() - began).toBeLessThan(5_000);
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
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/pid.php");
    await scene.run({ pools: { www: phpPool(spot, { workers: 1, max_requests: 0 }) } });
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
    const attempts = (): number[] => readFileSync(tally, "utf8").trim().split("\n").map(Number);
    await eventually(() => attempts().length >= 5);
    const times = attempts();
    const gaps = times.slice(1).map((time, i) => time - times[i]!);
    expect(gaps.at(-1)!).toBeGreaterThan(gaps[0]! * 2);
    const tales = supervisor.log().match(/pool sick failed .* next try is in .*/g) ?? [];
    expect(tales.length).toBeGreaterThan(0);
    expect(tales.length).toBeLessThanOrEqual(times.length + 1);
    expect(tales.at(-1)).toMatch(/failed \d+ times in a row/);
    expect(supervisor.log()).toContain("cannot work today");
    rmSync(tally);
    await workersReach(sick, 1);
    expect(await bodyOf(sick, {})).toContain("hello");
    expect(await workersReach(well, 2)).toEqual(wellBefore);
  },
);
