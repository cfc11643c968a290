// When a worker has lived or grown enough.

import { expect, test } from "bun:test";
import { recycles, recyclingReason } from "../../src/pool/recycling.ts";

const HOUR = 3_600_000;
const MB = 1024 * 1024;
const LIMITS = { maxAgeMs: HOUR, maxMemory: 100 * MB } as const;
const seen = (ageMs: number, privateBytes: number | null, pid = 1) => ({
  pid,
  ageMs,
  privateBytes,
});

test.each([
  ["young and small", seen(1000, MB), null],
  ["old", seen(1.2 * HOUR, MB), "age"],
  ["large", seen(1000, 101 * MB), "memory"],
  ["just as large as it may be", seen(1000, 100 * MB), null],
  ["of unknown size", seen(1000, null), null],
  ["of unknown size, and old", seen(1.2 * HOUR, null), "age"],
] as const)("a worker that is %s", (_, worker, why) => {
  expect(recyclingReason(worker, LIMITS)?.why ?? null).toBe(why);
});

test("without limits nobody is replaced", () => {
  const none = { maxAgeMs: 0, maxMemory: "unlimited" } as const;
  expect(recycles(none)).toBe(false);
  expect(recyclingReason(seen(1000 * HOUR, 1000 * MB), none)).toBeNull();
});

test("those that started together grow old one after the other, within a tenth", () => {
  const pids = Array.from({ length: 50 }, (_, i) => 4000 + i);
  const oldAt = (share: number) =>
    pids.filter((pid) => recyclingReason(seen(share * HOUR, MB, pid), LIMITS) !== null).length;
  expect(oldAt(1)).toBe(0);
  expect(oldAt(1.05)).toBeGreaterThan(15);
  expect(oldAt(1.05)).toBeLessThan(35);
  expect(oldAt(1.11)).toBe(50);
});
