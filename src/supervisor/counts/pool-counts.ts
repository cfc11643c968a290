// The counts of one pool, and how an event changes them. Pure.

import type { EndReason, Event } from "../../event.ts";

export interface PoolCounts {
  /** Workers that were started; what a leader forks in the place of one that left is not told, and not counted. */
  readonly started: number;
  /** Workers that are gone, by why; one that a leader had forked is "recycled", "crashed" or "timed-out". */
  readonly ended: Readonly<Partial<Record<EndReason, number>>>;
  /** Requests that took longer than slow_timeout; each counts once. */
  readonly slowRequests: number;
  /** Workers that were asked to leave, by the setting that asked for it. */
  readonly recycles: { readonly max_age: number; readonly max_memory: number };
  /** Requests whose worker was ended by request_timeout. */
  readonly requestTimeouts: number;
  /** How often the next try had to wait after failures. */
  readonly backoffs: number;
  /** Workers that got a harder signal, because they had not left in time. */
  readonly escalations: number;
  /** Lines of workers that log_rate did not let pass. */
  readonly linesDropped: number;
  readonly lastError: PoolError | null;
}

export interface PoolError {
  /** As RFC 3339 has it, in UTC. */
  readonly at: string;
  readonly message: string;
}

export const NO_COUNTS: PoolCounts = {
  started: 0,
  ended: {},
  slowRequests: 0,
  recycles: { max_age: 0, max_memory: 0 },
  requestTimeouts: 0,
  backoffs: 0,
  escalations: 0,
  linesDropped: 0,
  lastError: null,
};

interface Circumstances {
  /** The worker that has ended was ended by request_timeout. */
  readonly isTimedOut: boolean;
  /** The event as an error of the pool, if it is one. */
  readonly error: PoolError;
}

/** The same object where the event changes nothing. */
export function afterEvent(
  counts: PoolCounts,
  event: Event,
  { isTimedOut, error }: Circumstances,
): PoolCounts {
  switch (event.type) {
    case "group-started":
      return { ...counts, started: counts.started + event.workers };
    case "group-ended":
      return withError(ended(counts, event.reason, event.workers), error, isFailure(event.reason));
    case "member-ended":
      return ended(counts, isTimedOut ? "timed-out" : event.unasked ? "crashed" : "recycled", 1);
    case "request-slow":
      return event.isAgain ? counts : { ...counts, slowRequests: counts.slowRequests + 1 };
    case "worker-recycled":
      return { ...counts, recycles: recycled(counts.recycles, event.reason.why) };
    case "request-timeout":
      return { ...counts, requestTimeouts: counts.requestTimeouts + 1 };
    case "backing-off":
      return withError({ ...counts, backoffs: counts.backoffs + 1 }, error);
    case "generation-failed":
    case "fork-storm":
      return withError(counts, error);
    case "drain-escalated":
      return { ...counts, escalations: counts.escalations + 1 };
    case "drains-escalated":
      return { ...counts, escalations: counts.escalations + event.pids.length };
    case "output-dropped":
      return { ...counts, linesDropped: counts.linesDropped + event.lines };
    default:
      return counts;
  }
}

function ended(counts: PoolCounts, reason: EndReason, workers: number): PoolCounts {
  const sum = (counts.ended[reason] ?? 0) + workers;
  return { ...counts, ended: { ...counts.ended, [reason]: sum } };
}

function recycled(before: PoolCounts["recycles"], why: "age" | "memory"): PoolCounts["recycles"] {
  const setting = why === "age" ? "max_age" : "max_memory";
  return { ...before, [setting]: before[setting] + 1 };
}

function isFailure(reason: EndReason): boolean {
  return reason === "crashed" || reason === "start-failed";
}

function withError(counts: PoolCounts, lastError: PoolError, isError = true): PoolCounts {
  return isError ? { ...counts, lastError } : counts;
}
