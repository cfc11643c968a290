// The step by which a pool gets from what it has to what it should have: each kind of state in a table,
// then whole lives, many times, with a seed: groups come up, fail, are lost, leave in any order and the
// target changes, and at every step the promises are held against what there is.

import { describe, expect, test } from "bun:test";
import {
  type Have,
  type Limits,
  nextStep,
  type Sized,
  type Step,
  type Want,
  workersOf,
} from "../../src/pool/steps.ts";
import { alone, extraWorkers, firstBatch, inPlaceOf } from "../../src/pool/bounds.ts";

// ---------------------------------------------------------------- state by state

interface State {
  readonly serving?: readonly number[];
  readonly outgoing?: readonly number[];
  readonly starting?: number;
  readonly returning?: number;
  readonly leaving?: number;
  readonly target?: number;
  readonly groupSize?: number;
  readonly limits?: Partial<Limits>;
}

/** A pool of four single workers with one extra, unless the state says otherwise. */
function stepOf(state: State): string {
  const groups = (sizes: readonly number[] = []): Sized[] => sizes.map((size) => ({ size }));
  const { starting = 0, returning = 0, leaving = 0, target = 4, groupSize = 1 } = state;
  const [serving, outgoing] = [groups(state.serving), groups(state.outgoing)];
  const have = { serving, outgoing, starting, returning, leaving };
  const limits = { ...alone(target, 1), waitMs: 0, ...state.limits };
  return told(nextStep(have, { target, groupSize }, limits));
}

function told(step: Step<Sized>): string {
  switch (step.do) {
    case "start":
      return `start ${step.size}`;
    case "drain":
      return `drain one of ${step.oneOf.map(({ size }) => size).join(", ")}`;
    case "wait":
      return step.ms === null ? "wait" : `wait ${step.ms} ms`;
    case "done":
      return "done";
  }
}

const ONE_MORE = inPlaceOf(4, 4, 1);

const STATES: readonly (readonly [title: string, state: State, step: string])[] = [
  ["nothing there: the first", {}, "start 1"],
  ["some on their way: the next one beside them", { starting: 3 }, "start 1"],
  ["all on their way", { starting: 4 }, "wait"],
  ["some up, others on their way", { serving: [1, 1], starting: 2 }, "wait"],
  ["all up", { serving: [1, 1, 1, 1] }, "done"],
  ["nothing wanted", { target: 0 }, "done"],

  ["one group of all", { groupSize: 4 }, "start 4"],
  ["groups of three: a whole one first", { target: 8, groupSize: 3 }, "start 3"],
  ["and the rest at the end", { target: 8, groupSize: 3, serving: [3], starting: 3 }, "start 2"],
  ["a whole one is lost", { target: 8, groupSize: 3, serving: [3, 2] }, "start 3"],
  ["the rest is lost", { target: 8, groupSize: 3, serving: [3, 3] }, "start 2"],

  ["one is lost", { serving: [1, 1, 1] }, "start 1"],
  ["one is lost while others leave", { serving: [1, 1, 1], leaving: 9 }, "start 1"],
  ["the last starts failed", { serving: [1], limits: { waitMs: 70 } }, "wait 70 ms"],
  ["and nothing is missing", { serving: [1, 1, 1, 1], limits: { waitMs: 70 } }, "done"],
  ["a recycled one starts again", { serving: [1, 1, 1], starting: 1, returning: 1 }, "done"],
  ["a recycled one and a new one", { serving: [1, 1], starting: 2, returning: 1 }, "wait"],

  ["a leader is lost", { groupSize: 4, outgoing: [4] }, "start 4"],
  ["its replacement comes up", { groupSize: 4, outgoing: [4], starting: 4 }, "wait"],
  ["its replacement is up", { groupSize: 4, outgoing: [4], serving: [4] }, "drain one of 4"],
  ["what it left leaves", { groupSize: 4, serving: [4], leaving: 4 }, "done"],
  ["two leaders are lost", { groupSize: 2, outgoing: [2, 2] }, "start 2"],
  ["one at a time", { groupSize: 2, outgoing: [2, 2], starting: 2 }, "wait"],

  ["the target grows", { target: 6, serving: [1, 1, 1, 1] }, "start 1"],
  ["the target shrinks", { target: 2, serving: [1, 1, 1] }, "drain one of 1, 1, 1"],
  ["not before enough are up", { target: 2, serving: [1, 1], starting: 1 }, "done"],
  ["a group too big to go stays", { target: 6, groupSize: 4, serving: [4, 4] }, "done"],
  ["one that fits goes", { target: 6, groupSize: 3, serving: [3, 3, 2] }, "drain one of 2"],
  ["nothing is wanted any more", { target: 0, serving: [1, 1] }, "drain one of 1, 1"],

  ["a roll begins", { outgoing: [1, 1, 1, 1], limits: ONE_MORE }, "start 1"],
  ["its first comes up", { outgoing: [1, 1, 1, 1], starting: 1, limits: ONE_MORE }, "wait"],
  [
    "its first is up",
    { outgoing: [1, 1, 1, 1], serving: [1], limits: ONE_MORE },
    "drain one of 1, 1, 1, 1",
  ],
  [
    "an old one takes its time",
    { outgoing: [1, 1, 1], serving: [1], leaving: 1, limits: ONE_MORE },
    "wait",
  ],
  ["it has left", { outgoing: [1, 1, 1], serving: [1], limits: ONE_MORE }, "start 1"],
  ["a new one is lost", { outgoing: [1, 1, 1], leaving: 1, limits: ONE_MORE }, "start 1"],
  [
    "the last old ones",
    { outgoing: [1], serving: [1, 1, 1, 1], limits: ONE_MORE },
    "drain one of 1",
  ],
  ["they leave", { serving: [1, 1, 1, 1], leaving: 1, limits: ONE_MORE }, "done"],
  [
    "a roll to fewer lets go first",
    { target: 2, outgoing: [1, 1, 1, 1], limits: inPlaceOf(4, 2, 1) },
    "drain one of 1, 1, 1, 1",
  ],
  [
    "a roll to more starts first",
    { target: 6, outgoing: [1, 1, 1, 1], limits: inPlaceOf(4, 6, 1) },
    "start 1",
  ],
  [
    "an old group is swapped for a new one whole",
    { groupSize: 4, outgoing: [4], limits: ONE_MORE },
    "start 4",
  ],
  [
    "of old groups only those go that can be missed",
    {
      target: 8,
      groupSize: 3,
      outgoing: [3, 3, 2],
      serving: [2],
      limits: inPlaceOf(8, 8, 1),
    },
    "drain one of 2",
  ],
];

describe("a state and its step:", () => {
  test.each(STATES)("%s", (_title, state, step) => expect(stepOf(state)).toBe(step));
});

// ---------------------------------------------------------------- whole lives

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

type Random = () => number;

/** Sizes of the groups that make up so many workers. */
function split({ target, groupSize }: Want): Sized[] {
  const sizes: Sized[] = [];
  for (let left = target; left > 0; left -= groupSize)
    sizes.push({ size: Math.min(groupSize, left) });
  return sizes;
}

/** A pool without processes: what is there, what is wanted, and what the steps do to it. */
class Life {
  serving: Sized[] = [];
  outgoing: Sized[] = [];
  starting: Sized[] = [];
  leaving: Sized[] = [];
  fewestServing = Number.POSITIVE_INFINITY;
  mostInAll = 0;
  want: Want;
  limits: Limits;
  private readonly random: Random;

  constructor(want: Want, limits: Omit<Limits, "waitMs">, random: Random) {
    this.want = want;
    this.limits = { ...limits, waitMs: 0 };
    this.random = random;
  }

  get have(): Have<Sized> {
    const [starting, leaving] = [workersOf(this.starting), workersOf(this.leaving)];
    return { serving: this.serving, outgoing: this.outgoing, starting, returning: 0, leaving };
  }

  get servingWorkers(): number {
    return workersOf(this.serving) + workersOf(this.outgoing);
  }

  get inAll(): number {
    return this.servingWorkers + workersOf(this.starting) + workersOf(this.leaving);
  }

  /** Does the next step; what it may not do fails the test. */
  step(): Step<Sized>["do"] {
    const step = nextStep(this.have, this.want, this.limits);
    if (step.do === "start") this.start(step.size);
    if (step.do === "drain") this.drain(this.any(step.oneOf)!);
    return step.do;
  }

  private start(size: number): void {
    const { floor, most, extra, waitMs } = this.limits;
    const there = this.servingWorkers + workersOf(this.starting);
    const bound = most + Math.max(extra, unavoidable(this, size));
    this.starting.push({ size });
    const wanted = workersOf(this.serving) + workersOf(this.starting) <= this.want.target;
    this.hold(wanted && waitMs === 0, "started what is not wanted now");
    this.hold(there < floor || this.inAll <= bound, `started more than ${bound}`);
  }

  private drain(group: Sized): void {
    move(group, this.outgoing.includes(group) ? this.outgoing : this.serving, this.leaving);
    this.hold(this.servingWorkers >= this.limits.floor, "went below the floor");
  }

  private hold(holds: boolean, what: string): void {
    if (!holds) expect.unreachable(`${what}: ${this}`);
  }

  /** A group that starts is up, or one that leaves has left; false when there is none. */
  settleOne(): boolean {
    const group = this.any([...this.starting, ...this.leaving]);
    if (group === undefined) return false;
    if (this.starting.includes(group)) move(group, this.starting, this.serving);
    else move(group, this.leaving, []);
    return true;
  }

  any(groups: readonly Sized[]): Sized | undefined {
    return groups[Math.floor(this.random() * groups.length)];
  }

  measure(): void {
    this.fewestServing = Math.min(this.fewestServing, this.servingWorkers);
    this.mostInAll = Math.max(this.mostInAll, this.inAll);
  }

  /** Steps and what follows from them, until there is nothing to do; throws when it stands still. */
  converge(meanwhile: () => void): void {
    for (let steps = 0; ; steps++) {
      if (steps > 10_000) throw new Error(`does not end: ${this}`);
      const done = this.step();
      this.measure();
      if (done === "done") return;
      if (done === "wait" && !this.settleOne()) throw new Error(`stands still: ${this}`);
      meanwhile();
      this.measure();
    }
  }

  toString(): string {
    const { serving, outgoing, starting, leaving, want, limits } = this;
    return JSON.stringify({ serving, outgoing, starting, leaving, want, limits });
  }
}

function move(group: Sized, from: Sized[], to: Sized[]): void {
  from.splice(from.indexOf(group), 1);
  to.push(group);
}

/** So many extra workers are needed to swap groups of different sizes: no group may wait for another. */
function unavoidable({ outgoing, serving, limits }: Life, size: number): number {
  const others = [...outgoing, ...serving].every((group) => group.size === size);
  if (outgoing.length === 0 || (others && limits.floor % size === 0)) return size;
  return Math.min(...outgoing.map((group) => group.size)) + size - 1;
}

interface Roll {
  readonly seed: number;
  readonly old: Want;
  readonly next: Want;
  readonly extra: number;
}

/** Plays a roll to its end, in which nothing fails. */
function play({ seed, old, next, extra }: Roll): Life {
  const random = randomOf(seed);
  const life = new Life(next, inPlaceOf(old.target, next.target, extra), random);
  life.outgoing = split(old);
  if (seed % 2 === 0) {
    for (const group of split({ ...next, target: firstBatch(old.target, next, extra) }))
      life.serving.push(group);
  }
  life.measure();
  life.converge(() => random() < 0.5 && life.settleOne());
  return life;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

const ROLLS = 2_000;

describe.each([
  ["single processes", 1, false],
  ["groups of one size", 8, false],
  ["groups of two sizes", 8, true],
] as const)("whole rolls with %s", (_name, biggest, two) => {
  test("serve with enough, cost no more than allowed, and end", () => {
    for (let seed = 0; seed < ROLLS; seed++) {
      const random = randomOf(seed);
      const upTo = (most: number) => 1 + Math.floor(random() * most);
      const size = upTo(biggest);
      const [a, b] = [size, two ? upTo(biggest) : size];
      const old = { target: upTo(8) * a, groupSize: a };
      const next = { target: upTo(8) * b, groupSize: b };
      const roll = { seed, old, next, extra: upTo(20) };
      const life = play(roll);
      const said = JSON.stringify(roll);
      const most = Math.max(old.target, next.target);
      const extra = Math.max(roll.extra, a + b - greatestDivisor(a, b));
      expect(life.outgoing, said).toEqual([]);
      expect(workersOf(life.serving), said).toBe(next.target);
      expect(life.fewestServing, said).toBeGreaterThanOrEqual(Math.min(old.target, next.target));
      expect(life.mostInAll, said).toBeLessThanOrEqual(most + extra);
    }
  });
});

test("whole rolls of workers that groups of one size do not make up end, too", () => {
  for (let seed = 0; seed < ROLLS; seed++) {
    const random = randomOf(seed);
    const upTo = (most: number) => 1 + Math.floor(random() * most);
    const [old, next] = [0, 1].map(() => ({ target: upTo(20), groupSize: upTo(8) }));
    const life = play({ seed, old: old!, next: next!, extra: upTo(12) });
    expect(workersOf(life.serving)).toBe(next!.target);
    expect(life.outgoing).toEqual([]);
    expect(life.fewestServing).toBeGreaterThanOrEqual(Math.min(old!.target, next!.target));
  }
});

const LIVES = 400;

/** Something that nobody planned: a loss, a start that fails, a slow leaver's end, another target. */
function mishap(life: Life, random: Random, upTo: (most: number) => number): void {
  const { serving, outgoing, starting, leaving, want } = life;
  const [kind, group] = [random(), life.any([...serving, ...outgoing])];
  if (kind < 0.25 && group !== undefined)
    move(group, serving.includes(group) ? serving : outgoing, []);
  else if (kind < 0.4 && group !== undefined && serving.includes(group))
    move(group, serving, outgoing);
  else if (kind < 0.6 && starting.length > 0) {
    move(life.any(starting)!, starting, random() < 0.5 ? [] : leaving);
    life.limits = { ...life.limits, waitMs: 1 + random() * 100 };
  } else if (kind < 0.7) {
    const { target } = { ...want, target: Math.floor(random() * 21) };
    life.want = { ...want, target };
    life.limits = { ...alone(target, upTo(8)), waitMs: life.limits.waitMs };
  } else life.settleOne();
}

test("whatever happens to a pool: no step breaks a promise, and in the end it has what is wanted", () => {
  let [starts, drains, waits] = [0, 0, 0];
  for (let seed = 0; seed < LIVES; seed++) {
    const random = randomOf(seed);
    const upTo = (most: number) => 1 + Math.floor(random() * most);
    const want = { target: upTo(20), groupSize: upTo(6) };
    const life = new Life(want, alone(want.target, upTo(8)), random);
    for (let events = 0; events < 100; events++) {
      const step = life.step();
      if (step === "start") starts++;
      if (step === "drain") drains++;
      if (step === "wait" && life.limits.waitMs > 0) waits++;
      if (random() < 0.4) mishap(life, random, upTo);
      else if (random() < 0.5) life.limits = { ...life.limits, waitMs: 0 };
    }
    life.limits = { ...life.limits, waitMs: 0 };
    do life.converge(() => random() < 0.5 && life.settleOne());
    while (life.settleOne());
    const { target } = life.want;
    expect(life.inAll, String(life)).toBe(workersOf(life.serving));
    expect(life.inAll, String(life)).toBeGreaterThanOrEqual(target);
    // More only where a group of which a part is wanted cannot go.
    const smallest = Math.min(Number.POSITIVE_INFINITY, ...life.serving.map(({ size }) => size));
    expect(life.inAll, String(life)).toBeLessThan(target + smallest);
  }
  for (const count of [starts, drains, waits]) expect(count).toBeGreaterThan(LIVES / 4);
});

// ---------------------------------------------------------------- bounds

test("the groups of any pool make up exactly its workers, none of them empty", () => {
  for (let target = 1; target <= 40; target++) {
    for (let groupSize = 1; groupSize <= 41; groupSize++) {
      const life = new Life({ target, groupSize }, alone(target, 0), randomOf(1));
      life.converge(() => undefined);
      const sizes = life.serving.map(({ size }) => size).toSorted((a, b) => b - a);
      expect(sizes).toEqual(split({ target, groupSize }).map(({ size }) => size));
    }
  }
});

test("the first workers beside old ones: all where the bound allows it, else whole groups", () => {
  const first = (old: number, target: number, groupSize: number, extra: number) =>
    firstBatch(old, { target, groupSize }, extra);
  expect(first(4, 4, 1, 4)).toBe(4);
  expect(first(4, 4, 1, 1)).toBe(1);
  expect(first(4, 4, 4, 1)).toBe(4);
  expect(first(8, 8, 3, 1)).toBe(3);
  expect(first(8, 8, 3, 5)).toBe(3);
  expect(first(8, 8, 3, 6)).toBe(6);
  expect(first(8, 8, 3, 7)).toBe(6);
  expect(first(8, 8, 3, 8)).toBe(8);
  expect(first(1, 8, 1, 1)).toBe(8);
  expect(first(8, 1, 1, 1)).toBe(1);
});

test("the bound as a number: a count is itself, a percentage is of the workers, rounded up", () => {
  expect(extraWorkers({ kind: "count", value: 3 }, 8)).toBe(3);
  const percent = (value: number, workers: number) =>
    extraWorkers({ kind: "percent", value }, workers);
  expect([percent(100, 8), percent(25, 8), percent(10, 8), percent(1, 1)]).toEqual([8, 2, 1, 1]);
});
