// A roll in bounded steps: how many workers there are is counted all the while, under load, and in
// places where the roll cannot go on. And a roll whose new workers start to fail goes back to the old.

import { expect } from "bun:test";
import { chmodSync, rmSync } from "node:fs";
import { Census } from "../helper/census.ts";
import type { FcgiRequest } from "../helper/fcgi.ts";
import { hold, type Held } from "../helper/gate.ts";
import { forEachPhp } from "../helper/php.ts";
import {
  barePool,
  gatedAt,
  gatedPool,
  gatedReach,
  letThrough,
  renewed,
  tcpSpot,
  unixSpot,
  workersReach,
  type Spot,
} from "../helper/pool.ts";
import { alive, holdersOf, leadersAt, listenersAt, workersAt } from "../helper/processes.ts";
import { textOf, type Outcome, type Supervisor } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { onlyLeaving, statusOf } from "../helper/status.ts";
import { underLoad, type Serving } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

/** A reload that has begun. */
interface Rolling extends Serving {
  readonly outcome: Promise<Outcome>;
  readonly census: Census;
}

interface Watched {
  readonly outcome: Outcome;
  readonly census: Census;
}

/** Reloads while requests come and workers are counted; none of the requests may be lost. */
async function reloadWatched(
  supervisor: Supervisor,
  spot: Spot,
  request: FcgiRequest,
  meanwhile: (rolling: Rolling) => Promise<void> = async () => {},
): Promise<Watched> {
  const watched = Promise.withResolvers<Watched>();
  await underLoad(spot, request, async (serving) => {
    const census = new Census(supervisor, spot);
    const outcome = supervisor.control("reload");
    await Promise.all([census.until(outcome), meanwhile({ ...serving, outcome, census })]);
    watched.resolve({ census, outcome: await outcome });
  });
  return watched.promise;
}

interface Roll {
  readonly supervisor: Supervisor;
  readonly spot: Spot;
  /** How many workers the new config asks for. */
  readonly workers: number;
  readonly request?: FcgiRequest;
  /** The request that is in flight all the while; of bare.pl unless it names a script. */
  readonly long?: FcgiRequest;
}

/** The same, with a request in flight that keeps the roll from its end. */
async function rollHeld(scene: Scene, roll: Roll): Promise<Census> {
  const { supervisor, spot, workers, request = {}, long = {} } = roll;
  const old = workersAt(spot.where);
  const held = await hold(scene, spot, long);
  const meanwhile = async ({ further, outcome, census }: Rolling) => {
    await onlyLeaving(supervisor, 1, [held.worker]);
    await further(5);
    const seen = census.look().workers;
    expect(seen).toContain(held.worker);
    expect(seen.length).toBeGreaterThan(Math.min(old.length, workers));
    expect(Bun.peek.status(outcome)).toBe("pending");
    await held.finish();
  };
  const { outcome, census } = await reloadWatched(supervisor, spot, request, meanwhile);
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  await renewed(spot, { count: workers, old });
  return census;
}

/** Requests that are in flight, each in a worker of its own. */
async function holdSome(scene: Scene, spot: Spot, count: number): Promise<Held[]> {
  const held: Held[] = [];
  while (held.length < count) held.push(await hold(scene, spot));
  return held;
}

const WORKERS = 5;

interface Bound {
  readonly title: string;
  readonly reload: { readonly max_extra?: number | string };
  readonly extra: number;
}

const BOUNDS: readonly Bound[] = [
  { title: "max_extra = 1", reload: { max_extra: 1 }, extra: 1 },
  { title: "max_extra = 2", reload: { max_extra: 2 }, extra: 2 },
  { title: 'max_extra = "40%"', reload: { max_extra: "40%" }, extra: 2 },
  { title: "the default: as many again", reload: {}, extra: 5 },
];

for (const { title, reload, extra } of BOUNDS) {
  behaviour(
    `${title} bounds the extra workers, and all that were configured serve`,
    {},
    async (scene) => {
      const spot = await tcpSpot(scene);
      const gate = scene.path("gate");
      const pool = gatedPool(scene, spot, gate, { workers: WORKERS, reload });
      const supervisor = await scene.start({ pools: { www: pool } });
      const before = await workersReach(spot, WORKERS);
      // One more than there is room for, but one old worker must be free for the load.
      const held = await holdSome(scene, spot, Math.min(extra, WORKERS - 2) + 1);
      scene.write("gate", "");
      const meanwhile = async ({ further, outcome, census }: Rolling) => {
        // The first new workers do not get as far as accept(2): no old one leaves for them.
        await eventually(() => gatedAt(spot).length >= extra);
        await further(5);
        const first = census.look();
        expect(first.gated.length).toBe(extra);
        expect(first.workers).toEqual(expect.arrayContaining(before));
        expect(first.workers.length).toBe(WORKERS + extra);
        rmSync(gate);
        // Now old ones do not leave: for as many as the bound has room for there are new ones.
        const stay = Math.min(extra, held.length);
        const holders = held.map(({ worker }) => worker);
        await onlyLeaving(supervisor, stay, holders);
        await further(5);
        expect(census.look().workers.length).toBe(WORKERS + stay);
        expect(Bun.peek.status(outcome)).toBe("pending");
        for (const { open } of held) open();
      };
      const { outcome, census } = await reloadWatched(supervisor, spot, {}, meanwhile);
      expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
      for (const { finish } of held) await finish();
      expect(census.most).toBe(WORKERS + extra);
      expect(census.fewest).toBe(WORKERS);
      await renewed(spot, { count: WORKERS, old: before });
    },
  );
}

behaviour(
  "each new worker serves before the old one leaves that it takes the place of",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const gate = scene.path("gate");
    const pool = gatedPool(scene, spot, gate, { workers: 3, reload: { max_extra: 1 } });
    const supervisor = await scene.start({ pools: { www: pool } });
    const before = await workersReach(spot, 3);
    scene.write("gate", "");
    const meanwhile = async ({ further, census }: Rolling) => {
      for (const left of [3, 2, 1]) {
        const [next] = await eventually(() => {
          const { workers, gated } = census.look();
          const old = workers.filter((pid) => before.includes(pid));
          return old.length === left && gated.length === 1 ? gated : null;
        });
        await further(5);
        const { workers, gated } = census.look();
        expect(gated).toEqual([next!]);
        expect(workers.filter((pid) => before.includes(pid)).length).toBe(left);
        expect(workers.length).toBe(4);
        letThrough(gate, next!);
      }
    };
    const { outcome, census } = await reloadWatched(supervisor, spot, {}, meanwhile);
    expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
    expect([census.fewest, census.most]).toEqual([3, 4]);
    await renewed(spot, { count: 3, old: before });
  },
);

for (const [title, numbers, extra] of [
  ["single processes", { workers: 4, group_size: 1, reload: { max_extra: 1 } }, 1],
  ["groups of two", { workers: 6, group_size: 2, reload: { max_extra: 1 } }, 2],
] as const) {
  forEachPhp(`a PHP pool of ${title} rolls within its bound`, {}, async (scene, php) => {
    const spot = unixSpot(scene);
    const { workers } = numbers;
    const request = { script: scene.fixture("php/hello.php") };
    const long = { script: scene.fixture("php/gate.php") };
    const supervisor = await scene.start({ pools: { www: php.pool(spot, { ...numbers }) } });
    await workersReach(spot, workers);
    const leaders = leadersAt(spot.where).length;
    const census = await rollHeld(scene, { supervisor, spot, workers, request, long });
    // A leader that has not forked yet looks like a worker, for a moment, in place of its workers.
    expect(census.most).toBeLessThanOrEqual(workers + extra);
    expect(census.fewest).toBeGreaterThanOrEqual(workers);
    expect(leadersAt(spot.where).length).toBe(leaders);
  });
}

behaviour(
  "a long request in flight delays a roll with one extra, but nobody else, and is not cut",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = barePool(scene, spot, { workers: 3, reload: { max_extra: 1 } });
    const supervisor = await scene.start({ pools: { www: pool } });
    await workersReach(spot, 3);
    const census = await rollHeld(scene, { supervisor, spot, workers: 3 });
    expect(census.most).toBe(4);
    expect(census.fewest).toBeGreaterThanOrEqual(3);
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
    const census = await rollHeld(scene, { supervisor, spot, workers: to });
    expect(census.most).toBeLessThanOrEqual(Math.max(from, to) + 1);
    expect(census.fewest).toBeGreaterThanOrEqual(Math.min(from, to));
  }
});

forEachPhp(
  "the size of PHP's groups changes, with little room: the roll ends all the same",
  {},
  async (scene, php) => {
    const spot = await tcpSpot(scene);
    const request = { script: scene.fixture("php/hello.php") };
    const long = { script: scene.fixture("php/gate.php") };
    const reload = { max_extra: 1 };
    const grouped = (group_size: number) => ({
      pools: { www: php.pool(spot, { workers: 4, group_size, reload }) },
    });
    const supervisor = await scene.start(grouped(4));
    await workersReach(spot, 4);
    // Groups come and go whole: one of 4 and two of 2 need room for 8, two of 2 and singles for 6.
    for (const [size, most] of [
      [2, 8],
      [1, 6],
      [4, 8],
    ] as const) {
      scene.rewrite(grouped(size));
      const census = await rollHeld(scene, { supervisor, spot, workers: 4, request, long });
      expect(census.fewest).toBeGreaterThanOrEqual(4);
      expect(census.most).toBeLessThanOrEqual(most);
      await eventually(
        () => leadersAt(spot.where).length === (size > 1 || php.alwaysForks ? 4 / size : 0),
      );
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
  return holdersOf(listenersAt(spot.where)).filter((pid) =>
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
      const { outcome, census } = await reloadWatched(supervisor, spot, {});
      expect(outcome, outcome.stdout).toMatchObject({ code: 1 });
      expect(outcome.stderr).toContain("www");
      expect(outcome.stderr).toContain(`no more than ${good} today`);
      expect(textOf(tally).split("\n").length - 1).toBe(good + 1);
      await eventually(() => newWorkers(spot).length === 0, { what: "no new worker is left" });
      await workersReach(spot, 4);
      expect(census.most).toBeLessThanOrEqual(5);
      expect(census.fewest).toBeGreaterThanOrEqual(4);
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
    expect(outcome.stderr).not.toContain("fine");
    await eventually(() => newWorkers(bad).length === 0);
    await workersReach(bad, 3);
    await renewed(fine, { count: 3, old: before });
  },
);

for (const word of ["stop", "quit"] as const) {
  behaviour(
    word === "stop"
      ? "stop in the middle of a roll ends everything"
      : "quit in the middle of a roll lets requests finish, and ends everything",
    {},
    async (scene) => {
      const spot = await tcpSpot(scene);
      const pool = barePool(scene, spot, { workers: 4, reload: { max_extra: 1 } });
      const supervisor = await scene.start({ pools: { www: pool } });
      const old = await workersReach(spot, 4);
      const held = await holdSome(scene, spot, 2);
      const holders = held.map(({ worker }) => worker);
      const reload = supervisor.control("reload");
      await onlyLeaving(supervisor, 1, holders);
      expect(workersAt(spot.where).some((pid) => !old.includes(pid))).toBe(true);
      expect(holders.every(alive)).toBe(true);
      expect(Bun.peek.status(reload)).toBe("pending");
      const end = supervisor.control(word);
      const given = await reload;
      expect(given, given.stdout).toMatchObject({ code: 1 });
      expect(given.stderr).toContain(word);
      if (word === "quit") {
        // Asked to finish, not told to end: the one that was still serving, too.
        await onlyLeaving(supervisor, held.length, holders);
        expect(Bun.peek.status(end)).toBe("pending");
        for (const { finish } of held) await finish();
      }
      expect(await end).toMatchObject({ code: 0 });
      if (word === "stop")
        for (const { answer } of held) await expect(answer).rejects.toMatchObject({ kind: "cut" });
      await supervisor.gone();
      expect(holdersOf(listenersAt(spot.where))).toEqual([]);
      expect(holders.some(alive)).toBe(false);
    },
  );
}

behaviour(
  "an old worker that is just being replaced does not delay a roll for ever",
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
    await gatedReach(spot, 1);
    scene.rewrite({ pools: { www: barePool(scene, spot, pool, "new") } });
    const reload = supervisor.control("reload");
    await eventually(async () => (await statusOf(supervisor)).pools[0]!.generation === 2);
    expect(gatedAt(spot).length).toBe(1);
    expect(Bun.peek.status(reload)).toBe("pending");
    rmSync(gate);
    expect(await reload).toMatchObject({ code: 0 });
    await workersReach(spot, 4);
    expect(newWorkers(spot).length).toBe(4);
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
    await supervisor.logged("generation 2 of pool quick serves");
    await gatedReach(slow, 2);
    const [victim] = newWorkers(quick);
    process.kill(victim!, "SIGKILL");
    await eventually(() => !newWorkers(quick).includes(victim!));
    rmSync(gate);
    expect(await reload).toMatchObject({ code: 0 });
    await eventually(() => newWorkers(quick).length === 2, { what: "two new workers" });
  },
);
