// What `status` tells of a single worker beside what it does: since when, how old it is, and what it has used.

import type { RequestRecord } from "../observe/request.ts";
import type { WorkerView } from "../observe/sample.ts";
import { processAgeMs, TICK_MS } from "../sys/proc/procfs.ts";

export interface WorkerDetails {
  /** How long it has been seen in its state, or, where it is busy, on its connection. */
  readonly state_ms: number;
  /** Of the process; null where the kernel does not tell. */
  readonly age_ms: number | null;
  /** CPU time that it has used in its life. */
  readonly cpu_ms: number;
}

/** Told only when asked for; null where the kernel does not tell. */
export interface WorkerMemory {
  /** Its own memory and its share of the rest. */
  readonly pss_bytes?: number | null;
  /** What would be free without it. */
  readonly private_bytes?: number | null;
}

export function workerDetails(worker: WorkerView, time: number): WorkerDetails {
  return {
    state_ms: Math.max(0, Math.round(time - worker.since)),
    age_ms: processAgeMs(worker),
    cpu_ms: worker.cpuTicks * TICK_MS,
  };
}

/** A connection that is kept open between two requests makes nobody busy. */
export function workerState(
  { activity }: WorkerView,
  record: RequestRecord | undefined,
): WorkerView["activity"]["doing"] {
  return record === "none" && activity.doing === "busy" ? "idle" : activity.doing;
}
