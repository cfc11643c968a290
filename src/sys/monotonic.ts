// CLOCK_MONOTONIC itself, for those who compare it with a time of their own: the runtime's clocks
// begin when the process does. It stands apart from clock.ts, so that only who needs it opens libc.

import { checked, libc, ptr } from "./libc.ts";

const CLOCK_MONOTONIC = 1;

/** Microseconds on the machine's monotonic clock. */
export function monotonicMicroseconds(): bigint {
  const time = new BigInt64Array(2);
  checked("clock_gettime", libc.clock_gettime(CLOCK_MONOTONIC, ptr(time)));
  return time[0]! * 1_000_000n + time[1]! / 1_000n;
}
