// Waiting between two looks at processes in /proc. Each wait alone may be short; all that wait at the same
// time share one budget, so that a thousand that leave together do not take the CPU they leave with.

import { sleep } from "../sys/clock.ts";

/** A look is a few files of /proc, about 50 µs each. */
const LOOKS_A_SECOND = 8000;

let waiting = 0;

/** Resolves after `ms` milliseconds, or after more where many wait. */
export async function untilNextLook(ms: number): Promise<void> {
  waiting++;
  try {
    await sleep(Math.max(ms, (waiting * 1000) / LOOKS_A_SECOND));
  } finally {
    waiting--;
  }
}
