// What a group's end means. Pure.

import type { EndReason, ProcessEnd } from "../event.ts";
import type { GroupState } from "./lifecycle.ts";

export interface EndFacts {
  readonly end: ProcessEnd;
  /** The state the group was in when its process ended. */
  readonly state: GroupState;
  /** Whether it had reached accept(2) before. */
  readonly wasReady: boolean;
  /** Whether it was ended because its request took too long. */
  readonly timedOut: boolean;
  /** Whether its program leaves by itself after max_requests, and is told to. */
  readonly recycles: boolean;
}

/** Why the process ended, as far as can be told from outside. */
export function endReason({ end, state, wasReady, timedOut, recycles }: EndFacts): EndReason {
  if (timedOut) return "timed-out";
  if (state === "draining") return "drained";
  if (state === "gone") return "stopped";
  // Why it is ended before it was ready, whoever ends it tells.
  if (state === "terminating" || state === "killing") return "stopped";
  const well = end.how === "exited" && end.code === 0;
  // Under load a worker may serve its share before it was ever seen to wait for a request.
  if (well && recycles) return "recycled";
  if (!wasReady) return "start-failed";
  return well ? "ended" : "crashed";
}
