// A roll from old groups to new ones, played out whole, many times, with a seed: groups become ready
// and leave in any order, and at every moment the two promises are held against what there is.

import { describe, expect, test } from "bun:test";
import { extraWorkers, nextStep, type RollSight } from "../../src/pool/steps.ts";

interface Roll {
  readonly seed: number;
  /** Number of groups and workers of each. */
  readonly old: readonly [groups: number, size: number];
  readonly next: readonly [groups: number, size: number];
  readonly maxExtra: number;
  /** So many new workers are up before the first step, as supervisor/reload.ts has it. */
  readonly firstBatch: number;
}

interface Ended {
  readonly steps: number;
  readonly fewestServing: number;
  readonly mostInAll: number;
  readonly newReady: number;
}

/** Numbers in 0..1 that are the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function groupsOf([groups, size]: readonly [number, number]): number[] {
  return Array.from({ length: groups }, () => size);
}

/** Plays the roll to its end; throws when it stands still. */
function play(roll: Roll): Ended {
  const random = randomOf(roll.seed);
  const [oldServing, newWaiting] = [groupsOf(roll.old), groupsOf(roll.next)];
  const [oldLeaving, newStarting, newReady]: [number[], number[], number[]] = [[], [], []];
  const [oldWorkers, newWorkers] = [sum(oldServing), sum(newWaiting)];
  let fewestServing = oldWorkers;
  let mostInAll = oldWorkers;

  const look = (): RollSight => ({
    oldWorkers,
    newWorkers,
    maxExtra: roll.maxExtra,
    oldServing,
    oldLeaving: sum(oldLeaving),
    newReady: sum(newReady),
    newStarting: sum(newStarting),
    newWaiting,
  });
  const measure = () => {
    const serving = sum(oldServing) + sum(newReady);
    fewestServing = Math.min(fewestServing, serving);
    mostInAll = Math.max(mostInAll, serving + sum(oldLeaving) + sum(newStarting));
  };
  const settleOne = () => {
    const at = Math.floor(random() * (oldLeaving.length + newStarting.length));
    if (at < oldLeaving.length) oldLeaving.splice(at, 1);
    else newReady.push(...newStarting.splice(at - oldLeaving.length, 1));
  };

  while (newWaiting.length > 0 && sum(newReady) + newWaiting[0]! <= roll.firstBatch)
    newReady.push(newWaiting.shift()!);
  measure();
  for (let steps = 0; ; steps++) {
    const step = nextStep(look());
    if (step === "start-one") newStarting.push(newWaiting.shift()!);
    if (step === "drain-one") oldLeaving.push(oldServing.shift()!);
    if (step === "wait") {
      if (oldLeaving.length + newStarting.length === 0)
        throw new Error(`stands still: ${JSON.stringify({ ...look(), roll })}`);
      settleOne();
    }
    measure();
    if (step === "done") return { steps, fewestServing, mostInAll, newReady: sum(newReady) };
    if (steps > 10_000) throw new Error(`does not end: ${JSON.stringify(roll)}`);
    // What happens meanwhile, whatever the roll is doing.
    if (random() < 0.5 && oldLeaving.length + newStarting.length > 0) {
      settleOne();
      measure();
    }
  }
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/**
 * So many extra workers a roll cannot do without: the biggest group, when one size is a multiple of
 * the other; else some more, because the new groups that replace an old one do not fit it.
 */
function unavoidable(a: number, b: number): number {
  return a + b - greatestDivisor(a, b);
}

function keepsItsPromises(roll: Roll): void {
  const [oldWorkers, newWorkers] = [sum(groupsOf(roll.old)), sum(groupsOf(roll.next))];
  const extra = Math.max(roll.maxExtra, unavoidable(roll.old[1], roll.next[1]));
  const ended = play(roll);
  const said = JSON.stringify(roll);
  expect(ended.newReady, said).toBe(newWorkers);
  expect(ended.fewestServing, said).toBeGreaterThanOrEqual(Math.min(oldWorkers, newWorkers));
  expect(ended.mostInAll, said).toBeLessThanOrEqual(Math.max(oldWorkers, newWorkers) + extra);
}

const ROLLS = 2_000;

describe.each([
  ["single processes", () => 1],
  ["groups of the same size", null],
] as const)("whole rolls with %s", (_name, single) => {
  test("serve with enough, cost no more than allowed, and end", () => {
    for (let seed = 0; seed < ROLLS; seed++) {
      const random = randomOf(seed);
      const upTo = (most: number) => 1 + Math.floor(random() * most);
      const size = single === null ? upTo(8) : single();
      const [old, next] = [
        [upTo(8), size],
        [upTo(8), size],
      ] as const;
      const maxExtra = upTo(20);
      keepsItsPromises({ seed, old, next, maxExtra, firstBatch: seed % 2 === 0 ? 0 : maxExtra });
    }
  });
});

test("whole rolls in which the size of the groups changes keep the same promises", () => {
  for (let seed = 0; seed < ROLLS; seed++) {
    const random = randomOf(seed);
    const upTo = (most: number) => 1 + Math.floor(random() * most);
    const [old, next] = [
      [upTo(6), upTo(8)],
      [upTo(6), upTo(8)],
    ] as const;
    const maxExtra = upTo(12);
    keepsItsPromises({ seed, old, next, maxExtra, firstBatch: seed % 2 === 0 ? 0 : maxExtra });
  }
});

const FOUR: RollSight = {
  oldWorkers: 4,
  newWorkers: 4,
  maxExtra: 1,
  oldServing: [1, 1, 1, 1],
  oldLeaving: 0,
  newReady: 0,
  newStarting: 0,
  newWaiting: [1, 1, 1, 1],
};

test("one step at a time, as a pool of four with one extra takes them", () => {
  const seen = (change: Partial<RollSight>) => nextStep({ ...FOUR, ...change });
  expect(seen({})).toBe("start-one");
  expect(seen({ newStarting: 1, newWaiting: [1, 1, 1] })).toBe("wait");
  expect(seen({ newReady: 1, newWaiting: [1, 1, 1] })).toBe("drain-one");
  const leaving = { oldServing: [1, 1, 1], newReady: 1, newWaiting: [1, 1, 1] };
  expect(seen({ ...leaving, oldLeaving: 1 })).toBe("wait");
  expect(seen(leaving)).toBe("start-one");
  const last = { oldServing: [], newWaiting: [] };
  expect(seen({ ...last, newReady: 3, newStarting: 1 })).toBe("wait");
  expect(seen({ ...last, newReady: 4, oldLeaving: 1 })).toBe("done");
});

test("a pool that shrinks lets go before it starts anything, one that grows the other way round", () => {
  expect(nextStep({ ...FOUR, newWorkers: 2, newWaiting: [1, 1] })).toBe("drain-one");
  expect(nextStep({ ...FOUR, newWorkers: 6, newWaiting: [1, 1, 1, 1, 1, 1] })).toBe("start-one");
});

test("a pool whose old workers are lost already starts all it may at once", () => {
  const sight = { ...FOUR, oldServing: [], newStarting: 3, newWaiting: [1] };
  expect(nextStep(sight)).toBe("start-one");
});

test("the bound as a number: a count is itself, a percentage is of the workers, rounded up", () => {
  expect(extraWorkers({ kind: "count", value: 3 }, 8)).toBe(3);
  const percent = (value: number, workers: number) =>
    extraWorkers({ kind: "percent", value }, workers);
  expect([percent(100, 8), percent(25, 8), percent(10, 8), percent(1, 1)]).toEqual([8, 2, 1, 1]);
});
