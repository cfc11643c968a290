// Waiting between tries: nothing for the first loss, twice as long each time, ten seconds at most,
// and never an end to trying.

import { expect, test } from "bun:test";
import { afterFailure, type Backoff, delayMs, NO_BACKOFF } from "../../src/pool/backoff.ts";

test("workers that had served: the first loss is free, then the delay doubles up to ten seconds", () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((failures) => delayMs(failures, true));
  expect(delays).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
});

test("workers that never came up wait from the first time on", () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((failures) => delayMs(failures, false));
  expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
});

test("no failure, no delay; thousands of failures, still ten seconds", () => {
  expect([delayMs(0, true), delayMs(0, false)]).toEqual([0, 0]);
  expect([delayMs(5_000, true), delayMs(5_000, false)]).toEqual([10_000, 10_000]);
});

test("a failure counts, and says when to try again", () => {
  const first = afterFailure(NO_BACKOFF, 1_000, true);
  expect(first).toEqual({ failures: 1, notBefore: 1_000 });
  const second = afterFailure(first, 1_010, true);
  expect(second).toEqual({ failures: 2, notBefore: 1_110 });
});

test("eight workers that die at once during a wait count once", () => {
  let backoff = afterFailure(NO_BACKOFF, 0, false);
  for (let i = 0; i < 8; i++) backoff = afterFailure(backoff, 50, true);
  expect(backoff).toEqual({ failures: 1, notBefore: 100 });
  expect(afterFailure(backoff, 100, true)).toMatchObject({ failures: 2 });
});

test("a loop of crashes slows down to six tries a minute, and goes on for ever", () => {
  let backoff: Backoff = NO_BACKOFF;
  let clock = 0;
  const tries: number[] = [];
  while (clock < 600_000) {
    tries.push(clock);
    backoff = afterFailure(backoff, clock, false);
    expect(backoff.notBefore).toBeGreaterThan(clock);
    clock = backoff.notBefore;
  }
  const lastMinute = tries.filter((at) => at >= 540_000);
  expect(lastMinute.length).toBe(6);
  expect(tries.filter((at) => at < 1_000).length).toBe(4);
});
