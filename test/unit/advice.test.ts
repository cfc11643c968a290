// How many workers are advised, from the figures: what was wanted, what memory has room for, what processors give.

import { describe, expect, test } from "bun:test";
import { advise, type Figures } from "../../src/supervisor/advice.ts";
import { NO_LOAD } from "../../src/supervisor/watch/pool-load.ts";

const MB = 1024 * 1024;
const DAY = { hour: 1, busyMost: 8, queueMost: 0, looks: 86_400, allBusyLooks: 0, cpuMs: 0 };

function figures(load: Partial<Figures["load"]>, rest: Partial<Figures> = {}): Figures {
  return {
    workers: 8,
    groupSize: 1,
    load: { ...NO_LOAD, hours: [DAY], ...load },
    memory: { pss: 80 * MB, warm: 10 * MB, fresh: 1 * MB },
    freeBytes: 1000 * MB,
    limitBytes: null,
    processors: 4,
    ...rest,
  };
}

/** All eight were busy, and so many waited. */
const SATURATED = { busyMost: 8, allBusyTimes: 3, queueMost: 4 };

test("what was seen for a moment is no reason for anything", () => {
  const hours = [{ ...DAY, looks: 100 }];
  expect(advise(figures({ busyMost: 1, hours }))).toMatchObject({ verdict: "unknown", workers: 8 });
  // But for a queue there is no excuse.
  expect(advise(figures({ ...SATURATED, hours }))).toMatchObject({ verdict: "more" });
});

test("never all busy: enough, and fewer only where most of them were never used", () => {
  expect(advise(figures({ busyMost: 6 }))).toMatchObject({ verdict: "enough", workers: 8 });
  // A queue may have a connection for a moment while some are idle.
  expect(advise(figures({ busyMost: 6, queueMost: 50 }))).toMatchObject({ verdict: "enough" });
  const few = advise(figures({ busyMost: 2 }));
  expect(few).toMatchObject({ verdict: "fewer would do", workers: 3, wanted: 2 });
  expect(advise(figures({}))).toMatchObject({ verdict: "fewer would do", workers: 1 });
});

test("all busy: those that waited are wanted, too, and a quarter more", () => {
  const advice = advise(figures(SATURATED));
  expect(advice).toMatchObject({ verdict: "more", wanted: 12, workers: 15 });
  expect(advise(figures(SATURATED, { groupSize: 8 })).workers).toBe(16);
});

describe("memory", () => {
  test("has room for as many as four fifths of what is free can hold", () => {
    expect(advise(figures(SATURATED)).room).toBe(8 + 80);
  });

  test("is the limit where it has no room for those that are wanted", () => {
    const advice = advise(figures(SATURATED, { freeBytes: 50 * MB }));
    expect(advice).toMatchObject({ verdict: "memory", room: 12, workers: 12 });
    const limited = advise(figures(SATURATED, { limitBytes: 100 * MB }));
    expect(limited).toMatchObject({ verdict: "memory", room: 8, workers: 8 });
  });

  test("goes by a fresh worker until a warm one was seen, and is unknown without either", () => {
    const memory = { pss: null, warm: null, fresh: 2 * MB };
    expect(advise(figures(SATURATED, { memory })).room).toBe(8 + 400);
    const blind = advise(figures(SATURATED, { memory: { ...memory, fresh: null } }));
    expect(blind).toMatchObject({ verdict: "more", room: null, workerBytes: null });
  });
});

test("processors that are used up are not helped by more workers", () => {
  const load = { ...SATURATED, cpuPercentAllBusy: 390 };
  expect(advise(figures(load))).toMatchObject({ verdict: "processors", workers: 8 });
  expect(advise(figures({ ...load, cpuPercentAllBusy: 200 }))).toMatchObject({ verdict: "more" });
});
