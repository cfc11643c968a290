// A roll in bounded steps: how many workers there are is looked at every few milliseconds, under load.
// And a roll whose new workers start to fail midway goes back to the old ones.

import { expect } from "bun:test";
import { chmodSync, rmSync } from "node:fs";
import { fcgi } from "../helper/fcgi.ts";
import { load } from "../helper/load.ts";
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
import { holdersOnStdin, leadersAt, listenersAt, workersAt } from "../helper/processes.ts";
import { textOf, type Supervisor } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const RATE = 60;

interface Census {
  readonly most: number;
  readonly fewest: number;
  readonly looks: number;
}

/**
 * Counts the spot's workers until `over`. A walk through /proc takes a while: who is replaced during
 * it can be missed in one look, so the fewest are those of two looks in a row.
 */
async function census(spot: Spot, over: Promise<unknown>): Promise<Census> {
  let [most, fewest, looks] = [0, Number.POSITIVE_INFINITY, 0];
  let last = Number.POSITIVE_INFINITY;
  let ended = false;
  void over.then(
    () => (ended = true),
    () => (ended = true),
  );
  while (!ended) {
    const count = workersAt(spot.where).length;
    most = Math.max(most, count);
    if (looks > 0) fewest = Math.min(fewest, Math.max(count, last));
    last = count;
    looks++;
    await Bun.sleep(2);
  }
  return { most, fewest, looks };
}

/** Reloads while requests come and workers are counted; none of the requests may be lost. */
async function reloadWatched(supervisor: Supervisor, spot: Spot, script?: string) {
  const reload = supervisor.control("reload");
  const request = script === undefined ? {} : { script };
  const running = load({ rate: RATE, until: reload, send: () => bodyOf(spot, request) });
  const seen = await census(spot, reload);
  const report = await running;
  expect(report.lost, report.messages.join("\n")).toEqual({});
  expect(report.ok).toBeGreaterThan(0);
  return { ...seen, outcome: await reload };
}

interface Bound {
  readonly title: string;
  readonly workers: number;
  readonly pool: (scene: Scene, spot: Spot) => Record<string, unknown>;
  readonly extra: number;
}

const BOUNDS: readonly Bound[] = [
  {
    title: "max_extra = 1",
    workers: 5,
    pool: (scene, spot) => barePool(scene, spot, { reload: { max_extra: 1 } }),
    extra: 1,
  },
  {
    title: "max_extra = 2",
    workers: 5,
    pool: (scene, spot) => barePool(scene, spot, { reload: { max_extra: 2 } }),
    extra: 2,
  },
  {
    title: 'max_extra = "40%"',
    workers: 5,
    pool: (scene, spot) => barePool(scene, spot, { reload: { max_extra: "40%" } }),
    extra: 2,
  },
  {
    title: "the default: as many again",
    workers: 5,
    pool: (scene, spot) => barePool(scene, spot),
    extra: 5,
  },
];

for (const { title, workers, pool, extra } of BOUNDS) {
  behaviour(
    `${title} bounds the extra workers, and all that were configured serve`,
    {},
    async (scene) => {
      const spot = await tcpSpot(scene);
      const settings = { ...pool(scene, spot), workers };
      const supervisor = await scene.start({ pools: { www: settings } });
      const before = await workersReach(spot, workers);
      const seen = await reloadWatched(supervisor, spot);
      expect(seen.outcome, seen.outcome.stderr).toMatchObject({ code: 0 });
      expect(seen.looks).toBeGreaterThan(1);
      expect(seen.most).toBeLessThanOrEqual(workers + extra);
      expect(seen.fewest).toBeGreaterThanOrEqual(workers);
      const after = await workersReach(spot, workers);
      expect(after.some((pid) => before.includes(pid))).toBe(false);
    },
  );
}

for (const [title, php, extra] of [
  ["single processes", { workers: 4, group_size: 1, reload: { max_extra: 1 } }, 1],
  ["groups of two", { workers: 6, group_size: 2, reload: { max_extra: 1 } }, 2],
] as const) {
  behaviour(
    `a PHP pool of ${title} rolls within its bound`,
    { needs: ["php-cgi"] },
    async (scene) => {
      const spot = unixSpot(scene);
      const script = scene.fixture("php/hello.php");
      const supervisor = await scene.start({ pools: { www: phpPool(spot, { ...php }) } });
      const before = await workersReach(spot, php.workers);
      const leaders = leadersAt(spot.where).length;
      const seen = await reloadWatched(supervisor, spot, script);
      expect(seen.outcome, seen.outcome.stderr).toMatchObject({ code: 0 });
      // A leader that has not forked yet looks like a worker, for a moment, in place of its workers.
      expect(seen.most).toBeLessThanOrEqual(php.workers + extra);
      expect(seen.fewest).toBeGreaterThanOrEqual(php.workers);
      const after = await workersReach(spot, php.workers);
      expect(after.some((pid) => before.includes(pid))).toBe(false);
      expect(leadersAt(spot.where).length).toBe(leaders);
    },
  );
}

behaviour(
  "a long request in hand delays a roll with one extra, but nobody else, and is not cut",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = barePool(scene, spot, { workers: 3, reload: { max_extra: 1 } });
    const supervisor = await scene.start({ pools: { www: pool } });
    await workersReach(spot, 3);
    const slow = fcgi(spot.where, { query: "2" });
    slow.catch(() => undefined);
    const holder = await inHand(spot);
    const seen = await reloadWatched(supervisor, spot);
    expect(seen.outcome, seen.outcome.stderr).toMatchObject({ code: 0 });
    expect((await slow).body).toContain(`hello from a bare loop ${holder}`);
    expect(seen.most).toBeLessThanOrEqual(4);
    expect(seen.fewest).toBeGreaterThanOrEqual(3);
    await workersReach(spot, 3);
  },
);

behaviour("a pool that grows or shrinks as it rolls keeps to both numbers", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const reload = { max_extra: 1 };
  const sized = (workers: number) => ({
    pools: { www: barePool(scene, spot, { workers, reload }) },
  });
  const supervisor = await scene.start(sized(3));
  await workersReach(spot, 3);
  for (const [from, to] of [
    [3, 6],
    [6, 2],
    [2, 2],
  ] as const) {
    scene.rewrite(sized(to));
    const seen = await reloadWatched(supervisor, spot);
    expect(seen.outcome, seen.outcome.stderr).toMatchObject({ code: 0 });
    expect(seen.most).toBeLessThanOrEqual(Math.max(from, to) + 1);
    expect(seen.fewest).toBeGreaterThanOrEqual(Math.min(from, to));
    await workersReach(spot, to);
  }
});

behaviour(
  "the size of PHP's groups changes, with little room: the roll ends all the same",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    const reload = { max_extra: 1 };
    const grouped = (group_size: number) => ({
      pools: { www: phpPool(spot, { workers: 4, group_size, reload }) },
    });
    const supervisor = await scene.start(grouped(4));
    await workersReach(spot, 4);
    for (const size of [2, 1, 4]) {
      scene.rewrite(grouped(size));
      const seen = await reloadWatched(supervisor, spot, script);
      expect(seen.outcome, seen.outcome.stderr).toMatchObject({ code: 0 });
      expect(seen.fewest).toBeGreaterThanOrEqual(4);
      expect(seen.most).toBeLessThanOrEqual(8);
      await workersReach(spot, 4);
      await eventually(() => leadersAt(spot.where).length === (size === 1 ? 0 : 4 / size));
    }
  },
);

/** The bare loop, but only the first `good` starts with this tally work; marked by an argument. */
function failingFrom(scene: Scene, good: number): { command: string[]; tally: string } {
  const tally = scene.write("tally", "");
  chmodSync(tally, 0o666);
  const text = `#!/bin/sh
echo "$$" >> ${tally}
if [ "$(wc -l < ${tally})" -gt ${good} ]; then
  echo "no more than ${good} today" >&2
  exit 4
fi
exec ${scene.fixture("fcgi/bare.pl")} new
`;
  return { command: [scene.write("failing", text, 0o755)], tally };
}

/** Workers that were started by the old or the new config, told by the argument. */
function newWorkers(spot: Spot): number[] {
  return holdersOnStdin(listenersAt(spot.where)).filter((pid) =>
    textOf(`/proc/${pid}/cmdline`).includes("bare.pl\0new"),
  );
}

for (const good of [0, 1, 2, 3]) {
  behaviour(
    `new workers that fail after ${good} of 4: back to the old ones, exit 1, nothing lost`,
    {},
    async (scene) => {
      const spot = await tcpSpot(scene);
      const reload = { max_extra: 1 };
      const old = barePool(scene, spot, { workers: 4, reload });
      const supervisor = await scene.start({ pools: { www: old } });
      await workersReach(spot, 4);
      const { command, tally } = failingFrom(scene, good);
      scene.rewrite({ pools: { www: { ...old, command } } });
      const seen = await reloadWatched(supervisor, spot);
      expect(seen.outcome, seen.outcome.stdout).toMatchObject({ code: 1 });
      expect(seen.outcome.stderr).toContain("www");
      expect(seen.outcome.stderr).toContain(`no more than ${good} today`);
      expect(textOf(tally).split("\n").length - 1).toBe(good + 1);
      await eventually(() => newWorkers(spot).length === 0, { what: "no new worker is left" });
      await workersReach(spot, 4);
      expect(seen.most).toBeLessThanOrEqual(5);
      expect(seen.fewest).toBeGreaterThanOrEqual(4);
      // The old config is what counts on: what dies is replaced by its own kind.
      const [victim] = workersAt(spot.where);
      process.kill(victim!, "SIGKILL");
      await eventually(() => !workersAt(spot.where).includes(victim!));
      await workersReach(spot, 4);
      expect(newWorkers(spot)).toEqual([]);
      scene.rewrite({ pools: { www: old } });
      const mended = await supervisor.control("reload");
      expect(mended, mended.stderr).toMatchObject({ code: 0 });
      await workersReach(spot, 4);
    },
  );
}

behaviour(
  "one pool that goes back does not keep the others from being reloaded, and the report says which",
  {},
  async (scene) => {
    const bad = await tcpSpot(scene);
    const fine = await tcpSpot(scene);
    const reload = { max_extra: 1 };
    const pools = {
      bad: barePool(scene, bad, { workers: 3, reload }),
      fine: barePool(scene, fine, { workers: 3, reload }),
    };
    const supervisor = await scene.start({ pools });
    const before = await workersReach(fine, 3);
    const { command } = failingFrom(scene, 1);
    scene.rewrite({ pools: { ...pools, bad: { ...pools.bad, command } } });
    const outcome = await supervisor.control("reload");
    expect(outcome).toMatchObject({ code: 1 });
    expect(outcome.stderr).toContain("bad");
    await eventually(() => newWorkers(bad).length === 0);
    await workersReach(bad, 3);
    const after = await workersReach(fine, 3);
    // Either all pools went on or none did: a mixture of both inside one pool is what must not be.
    const renewed = after.filter((pid) => !before.includes(pid)).length;
    expect([0, 3]).toContain(renewed);
  },
);

behaviour(
  "stop in the middle of a roll ends everything, quit lets requests finish",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = barePool(scene, spot, { workers: 4, reload: { max_extra: 1 } });
    for (const word of ["stop", "quit"] as const) {
      const supervisor = await scene.start({ pools: { www: pool } });
      await workersReach(spot, 4);
      const slow = fcgi(spot.where, { query: "1.5" });
      slow.catch(() => undefined);
      await inHand(spot);
      const before = workersAt(spot.where);
      const reload = supervisor.control("reload");
      await eventually(() => workersAt(spot.where).some((pid) => !before.includes(pid)), {
        every: 2,
      });
      expect(await supervisor.control(word)).toMatchObject({ code: 0 });
      expect((await reload).code).toBe(1);
      if (word === "quit") expect((await slow).body).toContain("hello");
      else await expect(slow).rejects.toThrow();
      await supervisor.gone();
    }
  },
);

behaviour(
  "an old worker that is just being replaced does not hold up a roll for ever",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const gate = scene.path("gate");
    const pool = { workers: 4, reload: { max_extra: 1 } };
    const old = gatedPool(scene, spot, gate, pool);
    const supervisor = await scene.start({ pools: { www: old } });
    const [victim] = await workersReach(spot, 4);
    scene.write("gate", "");
    process.kill(victim!, "SIGKILL");
    await eventually(() => gatedAt(spot).length === 1);
    scene.rewrite({ pools: { www: barePool(scene, spot, pool, "new") } });
    const reload = supervisor.control("reload");
    await eventually(async () => {
      const status = JSON.parse((await supervisor.control("status", "--json")).stdout);
      return status.pools[0].generation === 2;
    });
    rmSync(gate);
    expect(await reload).toMatchObject({ code: 0 });
    await eventually(() => newWorkers(spot).length === 4);
  },
);

behaviour(
  "a new worker that is lost while another pool's still come up is replaced",
  {},
  async (scene) => {
    const [quick, slow] = [await tcpSpot(scene), await tcpSpot(scene)];
    const pools = { quick: barePool(scene, quick), slow: barePool(scene, slow) };
    const supervisor = await scene.start({ pools });
    const gate = scene.write("gate", "");
    scene.rewrite({
      pools: { quick: barePool(scene, quick, {}, "new"), slow: gatedPool(scene, slow, gate) },
    });
    const reload = supervisor.control("reload");
    await eventually(() => newWorkers(quick).length === 2 && gatedAt(slow).length === 2);
    const [victim] = newWorkers(quick);
    process.kill(victim!, "SIGKILL");
    await eventually(() => !newWorkers(quick).includes(victim!));
    rmSync(gate);
    expect(await reload).toMatchObject({ code: 0 });
    await eventually(() => newWorkers(quick).length === 2, { what: "two new workers" });
  },
);
