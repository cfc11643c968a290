// How many workers are to be active: what is seen in a table, and then a whole day of traffic, with a
// seed, in which the promises are held against what there is at every look.

import { describe, expect, test } from "bun:test";
import {
  isServedSoon,
  parkedAtStart,
  type ScalingLimits,
  type ScalingSnapshot,
  type ScalingStep,
  scalingStep,
  type Surplus,
} from "../../src/pool/scaling.ts";
import { seeded } from "../helper/seeded.ts";

const LIMITS: ScalingLimits = {
  least: 1,
  most: 50,
  minSpare: 2,
  maxSpare: 5,
  idleTimeoutMs: 10_000,
  restTimeoutMs: null,
};
const SEEN: ScalingSnapshot = { time: 60_000, queue: 0, active: 4, idle: 4, parked: 46 };
/** Four more than max_spare were idle since that time. */
const since = (time: number, least = 4): Surplus => ({ since: time, least });

type Row = readonly [
  title: string,
  seen: Partial<ScalingSnapshot>,
  step: string,
  before?: Surplus | undefined,
  limits?: Partial<ScalingLimits>,
];

const told = ({ wake, park, surplus }: ScalingStep) =>
  [
    ...(wake > 0 ? [`wake ${wake}`] : []),
    ...(park > 0 ? [`park ${park}`] : []),
    ...(surplus === null ? [] : [`${surplus.least} too many since ${surplus.since}`]),
  ].join(", ") || "nothing";

const ROWS: readonly Row[] = [
  ["as many idle as may be", {}, "nothing"],
  ["fewer idle than should be", { idle: 1 }, "wake 1"],
  ["none idle", { idle: 0 }, "wake 2"],
  ["some wait: they, and the spares", { idle: 0, queue: 10 }, "wake 12"],
  ["some wait, and the idle have not taken them yet", { queue: 3 }, "wake 1"],
  ["more wait than there are", { idle: 0, queue: 400 }, "wake 46"],
  ["nobody is parked", { idle: 0, queue: 9, active: 50, parked: 0 }, "nothing"],
  ["some wait, and the limit is near", { idle: 0, active: 49, parked: 1, queue: 9 }, "wake 1"],
  [
    "the limit is lower than what exists",
    { idle: 0, active: 8, queue: 9 },
    "nothing",
    undefined,
    { most: 8 },
  ],
  [
    "more active than the limit: idle ones at once",
    { active: 12, idle: 9 },
    "park 4",
    undefined,
    { most: 8 },
  ],
  [
    "more active than the limit, all of them busy",
    { active: 12, idle: 0 },
    "nothing",
    undefined,
    { most: 8 },
  ],
  ["too many idle, just now", { active: 9, idle: 9 }, "4 too many since 60000"],
  ["too many idle for a while", { active: 9, idle: 9 }, "4 too many since 55000", since(55_000)],
  ["too many idle for long enough", { active: 9, idle: 9 }, "park 4", since(50_000)],
  ["more of them now than all the time", { active: 20, idle: 20 }, "park 4", since(50_000)],
  ["fewer of them now", { active: 9, idle: 7 }, "2 too many since 55000", since(55_000)],
  ["none too many in between", { active: 9, idle: 5 }, "nothing", since(50_000)],
  ["fewer idle than should be in between", { active: 9, idle: 1 }, "wake 1", since(50_000)],
  [
    "ondemand: the last one stays",
    { active: 1, idle: 1 },
    "nothing",
    since(0),
    { minSpare: 0, maxSpare: 0 },
  ],
  [
    "ondemand: all others go",
    { active: 9, idle: 9 },
    "park 8",
    since(0, 8),
    { minSpare: 0, maxSpare: 0 },
  ],
  [
    "ondemand: nobody waits, all busy",
    { idle: 0 },
    "nothing",
    undefined,
    { minSpare: 0, maxSpare: 0 },
  ],
  ["paused: all that are idle", { active: 9, idle: 6 }, "park 6", undefined, { least: 0, most: 0 }],
  [
    "paused: who waits goes on waiting",
    { active: 0, idle: 0, queue: 7, parked: 50 },
    "nothing",
    undefined,
    { least: 0, most: 0 },
  ],
];

describe("the next step", () => {
  test.each(ROWS.map((row) => [row[0], row] as const))("%s", (_, row) => {
    const [, seen, step, before, limits] = row;
    expect(told(scalingStep({ ...SEEN, ...seen }, { ...LIMITS, ...limits }, before ?? null))).toBe(
      step,
    );
  });
});

describe("of those that have just come up are parked", () => {
  const all = { ...SEEN, active: 50, idle: 50, parked: 0 };
  test.each([
    ["all but the first", all, 3, 47],
    ["none that is busy, and spares beside them", { ...all, idle: 10 }, 3, 8],
    ["none while enough wait", { ...all, idle: 10, queue: 60 }, 3, 0],
    ["none where all are to start", all, 50, 0],
  ] as const)("%s", (_, seen, start, parked) => {
    expect(parkedAtStart(seen, LIMITS, start)).toBe(parked);
  });
});

test.each([
  ["as many wait as before", 20, 20, false],
  ["more wait than before", 20, 30, false],
  ["a few have been served", 40, 38, false],
  ["half of them have been served", 40, 20, true],
  ["nearly all have been served", 40, 1, true],
  ["one waits, and waited before", 1, 1, false],
] as const)("at two looks of 3 ms: %s", (_, before, queue, soon) => {
  expect(isServedSoon({ time: 0, queue: before }, { time: 3, queue })).toBe(soon);
});

describe("a day of traffic", () => {
  const LOOK_MS = 1000;
  const DAY_MS = 24 * 3_600_000;
  const PEAK = 40;

  /** Busy workers that the traffic asks for: a wave with noise, and now and then a burst. */
  function demand(time: number, random: () => number): number {
    const wave = (1 - Math.cos((2 * Math.PI * time) / DAY_MS)) / 2;
    const burst = random() < 0.001 ? 30 : 0;
    return Math.floor(wave * PEAK * (0.8 + 0.4 * random())) + burst;
  }

  interface Day {
    readonly parks: number;
    readonly wakes: number;
    /** Looks at which somebody waited although somebody was parked, after the step. */
    readonly unserved: number;
    readonly mean: number;
    readonly meanBusy: number;
    readonly atNight: number;
  }

  function live(seed: number, limits: ScalingLimits, workers: number): Day {
    const random = seeded(seed);
    const total = { parks: 0, wakes: 0, unserved: 0, active: 0, busy: 0, looks: 0 };
    let [active, surplus]: [number, Surplus | null] = [limits.least, null];
    for (let time = 0; time < DAY_MS; time += LOOK_MS, total.looks++) {
      const wanted = demand(time, random);
      const busy = Math.min(active, wanted);
      const seen = {
        time,
        queue: wanted - busy,
        active,
        idle: active - busy,
        parked: workers - active,
      };
      const step = scalingStep(seen, limits, surplus);
      active += step.wake - step.park;
      // What no step may do, whatever is seen.
      const isSound =
        step.wake <= seen.parked &&
        step.park <= seen.idle &&
        (step.wake === 0 || step.park === 0) &&
        active >= limits.least &&
        active <= limits.most;
      if (!isSound) throw new Error(`${JSON.stringify(seen)} led to ${JSON.stringify(step)}`);
      surplus = step.surplus;
      total.parks += step.park > 0 ? 1 : 0;
      total.wakes += step.wake > 0 ? 1 : 0;
      total.unserved += wanted > active && active < limits.most ? 1 : 0;
      total.active += active;
      total.busy += Math.min(wanted, limits.most);
    }
    const { looks } = total;
    return { ...total, mean: total.active / looks, meanBusy: total.busy / looks, atNight: active };
  }

  test.each([1, 2, 3, 4, 5])("dynamic, day %d: nobody waits while one is parked", (seed) => {
    const day = live(seed, LIMITS, 50);
    expect(day.unserved).toBe(0);
    // It follows: far fewer than all are active, and enough to spare.
    expect(day.mean).toBeGreaterThan(day.meanBusy + LIMITS.minSpare);
    expect(day.mean).toBeLessThan(LIMITS.most * 0.8);
    expect(day.atNight).toBeLessThanOrEqual(LIMITS.most);
    // Calm: a step down needs a whole idle_timeout, so there can be no more of them than that.
    expect(day.parks).toBeLessThanOrEqual(DAY_MS / LIMITS.idleTimeoutMs);
    expect(day.wakes).toBeGreaterThan(0);
  });

  test.each([1, 2, 3])("ondemand, day %d", (seed) => {
    const limits = { ...LIMITS, minSpare: 0, maxSpare: 0 };
    const day = live(seed, limits, 50);
    expect(day.unserved).toBe(0);
    expect(day.mean).toBeLessThan(live(seed, LIMITS, 50).mean);
  });

  test("a quiet night ends with the spares alone", () => {
    let [active, surplus]: [number, Surplus | null] = [50, null];
    for (let time = 0; time <= LIMITS.idleTimeoutMs; time += LOOK_MS) {
      const seen = { time, queue: 0, active, idle: active, parked: 50 - active };
      const step = scalingStep(seen, LIMITS, surplus);
      [active, surplus] = [active - step.park, step.surplus];
    }
    expect(active).toBe(LIMITS.maxSpare);
  });
});
