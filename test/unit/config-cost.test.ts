// What reading a config costs grows as its size does, and is little: shown by the CPU time of the
// hardest shapes, in ratios that mean the same on every machine.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { SHAPES } from "../config-cases/cost.ts";

const COST = join(import.meta.dir, "../config-cases/cost.ts");
const MB = 1024 * 1024;

/** Twice the size costs about twice the CPU; what grows with the square costs four times as much. */
const MOST_RATIO = 3;

/** CPU time in yardsticks: 3 s where a yardstick is some 0.1 s; three to five are usual. */
const MOST_UNITS = 30;
/** No verdict: CPU is counted, not the time that a busy machine takes. */
const LIMIT_MS = 600_000;

interface Costs {
  readonly costs: readonly number[];
  readonly yardstick: number;
}

async function costsOf(shape: string, sizes: readonly number[]): Promise<Costs> {
  const child = Bun.spawn([process.execPath, COST, shape, ...sizes.map(String)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return JSON.parse(text) as Costs;
}

/** XML is read up to 1 MB, and refused beyond; the others up to 4 MB. */
const sizeOf = (shape: string) => (shape.startsWith("XML") ? 0.9 * MB : 3.9 * MB);

describe("twice the size costs about twice the CPU, and little at all", () => {
  test.each(Object.keys(SHAPES))(
    "%s",
    async (shape) => {
      const size = sizeOf(shape);
      const { costs, yardstick } = await costsOf(shape, [size / 2, size]);
      const [half, whole] = costs;
      expect(whole! / half!).toBeLessThan(MOST_RATIO);
      expect(whole! / yardstick).toBeLessThan(MOST_UNITS);
    },
    LIMIT_MS,
  );
});
