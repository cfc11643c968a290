// What a group's end means. Pure.

import type { EndReason, ProcessEnd } from "../event.ts";
import type { GroupState } from "./lifecycle.ts";

export interface EndSight {
  readonly end: ProcessEnd;
  /** The state the group was in when its process ended. */
  readonly state: GroupState;
  /** Whether it had reached accept(2) before. */
  readonly wasReady: boolean;
  /** Whether its program leaves by itself after max_requests, and is told to. */
  readonly recycles: boolean;
}

/** Why the process ended, as far as can be told from outside. */
export function endReason({ end, state, wasReady, recycles }: EndSight): EndReason {
  if (state === "draining") return "drained";
  if (state === "terminating" || state === "killing") return wasReady ? "stopped" : "start-failed";
  if (!wasReady) return "start-failed";
  // php-cgi exits 0 after max_requests, and 0 is what a polite stop by anybody else gives too.
  if (end.how === "exited" && end.code === 0) return recycles ? "recycled" : "ended";
  return "crashed";
}

export function endText(end: ProcessEnd): string {
  switch (end.how) {
    case "exited":
      return `exited with code ${end.code}`;
    case "signaled":
      return `was killed by ${end.signal}`;
    case "vanished":
      return "is gone";
  }
}
