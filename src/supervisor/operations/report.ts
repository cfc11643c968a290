// What an operation answers, and the steps it tells on the way. These shapes go over the control
// socket as they are.

import type { Change } from "../../config/derived/diff.ts";
import { now } from "../../sys/clock.ts";
import type { StuckProcess } from "../../worker/losses.ts";

export interface PoolOutcome {
  readonly pool: string;
  readonly outcome: "added" | "removed" | "readdressed" | "replaced";
  readonly listen: string;
  readonly changes: readonly Change[];
  /** reload --changed: why it is touched. */
  readonly because?: string;
}

export interface BackgroundProcesses {
  readonly pool: string;
  readonly count: number;
  /** The first of them. */
  readonly pids: readonly number[];
}

/** A worker that has not left yet. */
export interface LateWorker {
  readonly pool: string;
  readonly pid: number;
  /** How long it has been asked to leave, in ms. */
  readonly age_ms: number;
  /** How long it still may, in ms. */
  readonly left_ms: number;
}

export type ProgressStep =
  | { readonly step: "waiting"; readonly behind: string }
  | { readonly step: "checked"; readonly pools: number }
  | { readonly step: "ready"; readonly pool: string }
  | { readonly step: "swapped" }
  /** upgrade: the next thing that answers is the new program. */
  | { readonly step: "executing"; readonly version: string }
  | { readonly step: "draining"; readonly late: readonly LateWorker[] }
  | { readonly step: "drained" };

export interface Report {
  readonly operation:
    | "stop"
    | "quit"
    | "restart"
    | "reload"
    | "rollback"
    | "logrotate"
    | "upgrade"
    /** Nothing was done: what differs from the config of an earlier generation. */
    | "diff";
  readonly pid: number;
  readonly duration_ms: number;
  readonly generation: number;
  /** reload --dry-run: nothing was done, this is the plan. */
  readonly dry_run?: boolean;
  /** reload: what became of each pool. */
  readonly pools?: readonly PoolOutcome[];
  /** reload: whether the old workers have left; false with --no-wait. */
  readonly drained?: boolean;
  /** Requests that were cut short: longer than drain_timeout, or longer than a stop waits. */
  readonly cut?: number;
  /** stop, quit: the supervisor had died before, and so many processes that it left were ended. */
  readonly left_behind?: number;
  /** Processes that scripts left in the background and that still hold the socket of a pool. */
  readonly background?: readonly BackgroundProcesses[];
  /** Processes that not even KILL has ended. */
  readonly stuck?: readonly StuckProcess[];
  /** reload: settings of the log and of the supervisor itself that changed. */
  readonly settings?: readonly Change[];
  /** rollback, diff: the generation whose config it is about. */
  readonly back_to?: number;
  /** Settings that keep their old value until the supervisor is started again. */
  readonly needs_restart?: readonly Change[];
  /** logrotate: the files that were reopened. */
  readonly files?: readonly string[];
  readonly warnings?: readonly string[];
}

/** What every report says: which operation, of whom, how long since it was asked for, and the generation that serves now. */
export function reportOf(
  operation: Report["operation"],
  { generation }: { readonly generation: number },
  since: number,
): Report {
  return { operation, pid: process.pid, duration_ms: Math.round(now() - since), generation };
}
