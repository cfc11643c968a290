// The parts of a sentence that grow with what they tell of.

import { expect, test } from "bun:test";
import { firstOf, list } from "../../src/log/words.ts";

const names = (count: number) => Array.from({ length: count }, (_, i) => `p${i}`);

test("a list", () => {
  expect([0, 1, 2, 3].map((count) => list(names(count)))).toEqual([
    "none",
    "p0",
    "p0 and p1",
    "p0, p1 and p2",
  ]);
});

test("the first of many, and how many more", () => {
  expect(firstOf(names(2))).toBe("p0 and p1");
  expect(firstOf(names(4), 3)).toBe("p0, p1, p2 and p3");
  expect(firstOf(names(5), 3)).toBe("p0, p1, p2 and 2 more");
  expect(firstOf(names(2000))).toBe("p0, p1, p2, p3, p4 and 1995 more");
});
