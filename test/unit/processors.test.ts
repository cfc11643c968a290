// What a control group allows of the processors, as the kernel writes it.

import { expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { processors, quota } from "../../src/sys/machine/processors.ts";

test("a quota is so many processors; none, or what cannot be read, limits nothing", () => {
  expect(quota("150000 100000\n")).toBe(1.5);
  expect(quota("50000\n 100000\n")).toBe(0.5);
  for (const text of ["max 100000\n", "-1\n 100000\n", "null null", "", "1 0"])
    expect(quota(text)).toBeNull();
});

test("there is at least one, and no more than this process may run on", () => {
  expect(processors()).toBeGreaterThanOrEqual(1);
  expect(processors()).toBeLessThanOrEqual(availableParallelism());
});
