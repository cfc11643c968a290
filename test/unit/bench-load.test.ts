// The load that `bench` and `demo` share: what it counts, with moments made up, and that it neither
// slows down with its service nor sends more at once than it may.

import { expect, test } from "bun:test";
import { Load } from "../../src/cli/bench/load.ts";
import { Tally, Lost, percentile } from "../../src/cli/bench/tally.ts";

test("times count from the moment due", () => {
  const tally = new Tally();
  tally.due(0);
  tally.due(5);
  tally.answered(0, 2);
  tally.answered(5, 105);
  expect(tally.result(105)).toMatchObject({ sent: 2, lost: 0, p50: 2, p99: 100, max: 100 });
});

test("the longest gap is time without an answer while one was due", () => {
  const tally = new Tally();
  tally.due(0);
  tally.answered(0, 1);
  // Nothing was due from 1 to 500.
  tally.due(500);
  tally.due(505);
  tally.answered(500, 530);
  tally.answered(505, 540);
  expect(tally.result(2000).longestGap).toBe(30);
});

test("an answer ends a gap only till the next of what is still due", () => {
  const tally = new Tally();
  tally.due(0);
  tally.due(0);
  tally.answered(0, 10);
  tally.answered(0, 60);
  expect(tally.result(60).longestGap).toBe(50);
});

test("a lost request does not end a gap, and the end of the load does", () => {
  const tally = new Tally();
  tally.due(0);
  tally.lost(new Error("refused"));
  tally.due(5);
  tally.answered(5, 20);
  expect(tally.result(20).longestGap).toBe(20);
  tally.due(30);
  tally.lost(new Error("refused"));
  expect(tally.result(100).longestGap).toBe(70);
});

test("losses are counted by kind, the first one told", () => {
  const tally = new Tally();
  for (const error of [new Lost("timeout", "too late"), new Lost("timeout", "x"), new Error("y")]) {
    tally.due(0);
    tally.lost(error);
  }
  expect(tally.result(0)).toMatchObject({
    sent: 3,
    lost: 3,
    losses: { timeout: 2, failed: 1 },
    firstLoss: "too late",
    p50: 0,
  });
});

test("percentiles are by nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  expect([0.5, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([50, 99, 100]);
  expect(percentile([7], 0.5)).toBe(7);
  expect(percentile([], 0.99)).toBe(0);
});

test("a stalled service does not slow the load down", async () => {
  const stalled = Promise.withResolvers<void>();
  let sent = 0;
  const load = Load.start({
    perSecond: 1000,
    forMs: 50,
    send: () => {
      if (++sent === 50) stalled.resolve();
      return stalled.promise;
    },
  });
  const result = await load.result;
  expect(result).toMatchObject({ sent: 50, lost: 0 });
  expect(result.max).toBeGreaterThan(40);
});

test("no more at once than allowed, and the time of those that wait runs", async () => {
  let open = 0;
  let most = 0;
  let later: Promise<void> | undefined;
  const load = Load.start({
    perSecond: 1000,
    forMs: 20,
    atOnce: 2,
    send: async () => {
      most = Math.max(most, ++open);
      await (later ??= Bun.sleep(40));
      open--;
    },
  });
  const result = await load.result;
  expect(result.sent).toBe(20);
  expect(most).toBe(2);
  // All were due within 20 ms, and none was answered within 40 of the first.
  expect(result.p50).toBeGreaterThan(15);
});

test("a stopped load waits for what it sent", async () => {
  const first = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const load = Load.start({
    perSecond: 1,
    send: () => {
      first.resolve();
      return answer.promise;
    },
  });
  await first.promise;
  const stopped = load.stop();
  answer.resolve();
  expect(await stopped).toMatchObject({ sent: 1, lost: 0 });
});
