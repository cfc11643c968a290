// What `scale` is told, and the limits it leads to.

import { expect, test } from "bun:test";
import type { PoolConfig } from "../../src/config/model.ts";
import { Fault } from "../../src/fault.ts";
import { scaledLimits } from "../../src/pool/amount.ts";
import type { ScalingLimits } from "../../src/pool/scaling.ts";

const POOL = { workers: 8, idleTimeoutMs: 10_000 } as PoolConfig;
const DYNAMIC: ScalingLimits = {
  ...{ least: 1, most: 8, minSpare: 1, maxSpare: 4, idleTimeoutMs: 10_000, restTimeoutMs: null },
};

const told = ({ least, most }: ScalingLimits) => `${least} to ${most}`;

test.each([
  ["4", null, "4 to 4"],
  ["12", null, "12 to 12"],
  ["+2", null, "10 to 10"],
  ["-2", null, "6 to 6"],
  ["2..6", null, "2 to 6"],
  ["6..6", null, "6 to 6"],
  ["4", DYNAMIC, "1 to 4"],
  ["+4", DYNAMIC, "1 to 12"],
  ["-7", DYNAMIC, "1 to 1"],
  ["3..9", DYNAMIC, "3 to 9"],
  ["2", { ...DYNAMIC, least: 4 }, "2 to 2"],
  ["10000", null, "10000 to 10000"],
] as const)("%s", (text, limits, expected) => {
  expect(told(scaledLimits(text, POOL, limits))).toBe(expected);
});

test("a pool that follows its load keeps its spares, a static one gets some with a range", () => {
  expect(scaledLimits("5", POOL, DYNAMIC)).toMatchObject({ minSpare: 1, maxSpare: 4 });
  expect(scaledLimits("2..3", POOL, null)).toMatchObject({ minSpare: 1, maxSpare: 3 });
});

test.each([
  "",
  "0",
  "-8",
  "0..4",
  "5..2",
  "4..",
  "..4",
  "1.5",
  "four",
  "10001",
  "1..10001",
  "++2",
  "1e3",
])("%p is refused, with an example", (text) => {
  const refused = () => scaledLimits(text, POOL, null);
  expect(refused).toThrow(Fault);
  expect(() => scaledLimits(text, POOL, null)).toThrow(/worker|number|more than|least/);
});
