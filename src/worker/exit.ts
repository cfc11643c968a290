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
  /** Whether it forks its workers, instead of being one. */
  readonly forks: boolean;
  /** Whether it was seen in accept(2) itself, or with a connection from there. */
  readonly wasAccepting: boolean;
  /** Whether connections were waiting when it was started. */
  readonly wasWaitedFor: boolean;
}

/** Why the process ended, as far as can be told from outside. */
export function endReason(facts: EndFacts): EndReason {
  const { end, state, wasReady, timedOut, recycles, forks, wasAccepting, wasWaitedFor } = facts;
  if (timedOut) return "timed-out";
  if (state === "draining") return "drained";
  if (state === "gone") return "stopped";
  // Why it is ended before it was ready, whoever ends it tells.
  if (state === "terminating" || state === "killing") return "stopped";
  const well = end.how === "exited" && end.code === 0;
  // Under load a worker may serve its share before it was ever seen to wait for a request.
  if (well && recycles) return "recycled";
  // A program of one's own limit: it has left accept(2), so it had a connection.
  if (well && !forks && wasAccepting) return "recycled";
  // It may have had one, in or behind a select(2), or before anybody looked.
  if (well && !forks && (wasReady || wasWaitedFor)) return "unproven";
  if (!wasReady) return "start-failed";
  return well ? "ended" : "crashed";
}
