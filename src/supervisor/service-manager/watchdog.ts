// The watchdog of a service manager: it wants a sign of life, and starts the supervisor again when none
// comes. The sign is given only while the supervisor's own loop turns, not merely because a timer runs.

import { every, now } from "../../sys/clock.ts";

export interface WatchdogOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** Grows once a second while all is well. */
  readonly beats: () => number;
  readonly ping: () => void;
}

/** The loop beats once a second; a loaded machine may be late, but not so much. */
const LATEST_BEAT_MS = 5_000;

/** Milliseconds between two signs of life: half of what the manager allows; null = nobody asks this process for any. */
export function watchdogInterval(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | null {
  const { WATCHDOG_USEC, WATCHDOG_PID } = env;
  if (!/^[0-9]+$/.test(WATCHDOG_USEC ?? "") || Number(WATCHDOG_USEC) === 0) return null;
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(pid)) return null;
  return Math.max(1, Number(WATCHDOG_USEC) / 2_000);
}

/** Looks at the beats and says whether they still come. */
export class Pulse {
  private last: { readonly beats: number; readonly at: number } | null = null;

  isBeating(beats: number, atMs: number): boolean {
    if (this.last?.beats !== beats) this.last = { beats, at: atMs };
    return atMs - this.last.at <= LATEST_BEAT_MS;
  }
}

/** Gives signs of life as long as there is one. The returned function ends it. */
export function keepWatchdog({ env, pid, beats, ping }: WatchdogOptions): () => void {
  const interval = watchdogInterval(env, pid);
  if (interval === null) return () => {};
  const pulse = new Pulse();
  ping();
  return every(interval, () => {
    if (pulse.isBeating(beats(), now())) ping();
  });
}
