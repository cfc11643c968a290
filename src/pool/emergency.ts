// emergency_restart_threshold and _interval, as php-fpm has them: so many workers dead by SIGSEGV or
// SIGBUS within the interval mean that something they share is broken (an opcode cache, above all),
// and everything is reloaded. It only counts; the reload is the supervisor's.

import type { Event } from "../event.ts";

export interface EmergencySettings {
  readonly emergencyRestartThreshold: number;
  readonly emergencyRestartIntervalMs: number;
}

const FATAL = new Set(["SIGSEGV", "SIGBUS"]);

export class EmergencyCounter {
  /** When workers died, within the last interval. */
  private deaths: readonly number[] = [];

  /** Whether this event reaches the threshold; from there the count begins again. */
  isEmergency(event: Event, settings: EmergencySettings, now: number): boolean {
    const { emergencyRestartThreshold: threshold, emergencyRestartIntervalMs: interval } = settings;
    if (threshold <= 0 || interval <= 0 || !isFatal(event)) return false;
    this.deaths = [...this.deaths.filter((at) => now - at < interval), now];
    if (this.deaths.length < threshold) return false;
    this.deaths = [];
    return true;
  }
}

/**
 * A leader reaps its own workers, so unless it tells how one of them died that cannot be seen; but one that is not told to
 * leave after max_requests and is gone all the same has crashed or was killed.
 */
function isFatal(event: Event): boolean {
  if (event.type === "group-ended")
    return event.end.how === "signaled" && FATAL.has(event.end.signal);
  if (event.type !== "member-ended") return false;
  return event.end.how === "signaled" ? FATAL.has(event.end.signal) : event.unasked;
}
