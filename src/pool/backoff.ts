// How long to wait before the next try when workers keep failing. Pure. The first loss of a worker
// that had been serving costs nothing, so that a killed worker is back within milliseconds; a loop
// of crashes slows down to one try in ten seconds, and never gives up.

export interface Backoff {
  /** Failures in a row. */
  readonly failures: number;
  /** Monotonic time before which nothing is started. */
  readonly notBefore: number;
}

export const NO_BACKOFF: Backoff = { failures: 0, notBefore: 0 };

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
/** A worker that served so long did not fail at starting; its end starts no penalty. */
export const PROVEN_MS = 1000;

/** Delay before the next try after so many failures in a row; the first is free for one that was ready. */
export function delayMs(failures: number, wasReady: boolean): number {
  const steps = wasReady ? failures - 1 : failures;
  return steps <= 0 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (steps - 1));
}

/** After a failure. Several that fall into one wait (eight workers that die at once) count once. */
export function afterFailure(backoff: Backoff, now: number, wasReady: boolean): Backoff {
  if (now < backoff.notBefore) return backoff;
  const failures = backoff.failures + 1;
  return { failures, notBefore: now + delayMs(failures, wasReady) };
}
