// A bound on worker output: what fits passes, what does not is counted, and pools do not share it.

import { expect, test } from "bun:test";
import type { Event, OutputLine } from "../../src/event.ts";
import { type OutputRate, OutputLimits } from "../../src/worker/output-limits.ts";

function limits(rate: OutputRate) {
  const passed: OutputLine[] = [];
  const events: Event[] = [];
  const rateOf = () => rate;
  const limit = new OutputLimits(
    rateOf,
    (line) => passed.push(line),
    (event) => events.push(event),
  );
  const write = (pool: string, lines: number, text = "x".repeat(920)) => {
    for (let i = 0; i < lines; i++)
      limit.write({ pool, pid: 1, byLeader: false, level: null, text });
  };
  return { limit, passed, events, write };
}

test("what comes at once passes up to ten seconds of the rate; the rest is told with its number", () => {
  const { limit, passed, events, write } = limits(10_000);
  write("www", 150);
  // A line of 1000 bytes may have come by more while this was running.
  expect(passed.length).toBeGreaterThanOrEqual(100);
  expect(passed.length).toBeLessThan(150);
  limit.flush();
  const lines = 150 - passed.length;
  expect(events).toEqual([{ type: "output-dropped", pool: "www", lines, bytes: lines * 1000 }]);
  limit.flush();
  expect(events.length).toBe(1);
});

test("one pool's flood takes nothing from another, and without a limit nothing is dropped", () => {
  const limited = limits(1000);
  limited.write("noisy", 1000);
  limited.write("quiet", 3);
  expect(limited.passed.filter(({ pool }) => pool === "quiet").length).toBe(3);
  const free = limits("unlimited");
  free.write("noisy", 1000);
  free.limit.flush();
  expect([free.passed.length, free.events]).toEqual([1000, []]);
});
