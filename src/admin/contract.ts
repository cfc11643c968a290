// The words of the control socket: HTTP/1.1 with JSON over a Unix socket, so that
// `curl --unix-socket` works. Server, client and commands share only this page.

import type { FaultJson } from "../fault.ts";
import type { ProfileBatch } from "../supervisor/trace/profile.ts";
import type { LogFields } from "../log/record.ts";
import type { Report, ProgressStep } from "../supervisor/operations/report.ts";

export type {
  LateWorker,
  PoolOutcome,
  Report,
  ProgressStep,
} from "../supervisor/operations/report.ts";
export type { AdviceStatus, PoolAdvice } from "../supervisor/advice-status.ts";
export type { HistoryEntry } from "../supervisor/history.ts";
export type { ProfileBatch, ProfileStack } from "../supervisor/trace/profile.ts";
export type { StackTrace, Trace, WorkerTrace } from "../supervisor/trace/trace.ts";
export type {
  GroupStatus,
  PoolStatus,
  Status,
  SupervisorStatus,
  WorkerStatus,
} from "../supervisor/status.ts";

/** Operations, each a POST to /v1/NAME. */
export const OPERATIONS = [
  "stop",
  "quit",
  "restart",
  "reload",
  "rollback",
  "logrotate",
  "upgrade",
  "scale",
  "pause",
  "resume",
  "start",
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What `upgrade` may be told, likewise. */
export interface UpgradeOptions {
  /** Path of the new program; the file of the running one unless given. */
  readonly binary?: string;
  /** Comes back in the status, so that the asker knows its upgrade from another. */
  readonly id?: string;
}

/** What `quit` may be told, likewise. */
export interface QuitOptions {
  /** Milliseconds in which /readyz says no, and all else goes on, before it begins. */
  readonly lame_duck_ms?: number;
}

/** What `rollback` may be told; `wait` and `dry_run` as for `reload`. */
export interface RollbackOptions {
  /** Whose config to run with again; the last other one that served unless given. */
  readonly generation?: number;
}

/** What `scale`, `pause`, `resume` and `start` must be told, and `stop` and `restart` may: `pools`, with one name. */
export interface PoolOptions {
  /** scale: `8`, `+2`, `-2` or `2..10`. */
  readonly workers?: string;
}

export type OperationOptions = ReloadOptions &
  UpgradeOptions &
  QuitOptions &
  RollbackOptions &
  PoolOptions;

/** Asked for with `Accept`, an operation answers with its steps, one JSON object a line. */
export const STREAM_TYPE = "application/x-ndjson";

/** Of `GET /v1/logs` and `/v1/events`: names the log whose numbers the lines have. */
export const LOG_ID_HEADER = "fcgivisor-log";

/** A line of them: of the log, or how many were lost because this reader did not keep up, or that no more come. */
export type LogLine = (LogFields & { readonly number: number }) | LostLines | LogEnd;
export interface LostLines {
  readonly lost: number;
}
export interface LogEnd {
  readonly end: "stopped";
}

/** What `reload` may be told, as JSON body or as query (`?pool=a&pool=b&wait=false&dry_run=true`). */
export interface ReloadOptions {
  readonly pools?: readonly string[];
  /** OperationAnswer when the old workers have left (default), or when the new ones serve. */
  readonly wait?: boolean;
  /** The plan only. */
  readonly dry_run?: boolean;
  /** Absolute path of another config to run with from here on; goes with no `pools`. */
  readonly config?: string;
  /** Only pools that have changed since their workers started; goes with no `pools`. */
  readonly changed?: boolean;
  /** OperationAnswer when `reload.probation` is over, too; failed when the supervisor has gone back. */
  readonly wait_probation?: boolean;
}

/** The answer to an operation, and the last line of a stream. */
export type OperationAnswer =
  | { readonly ok: true; readonly report: Report }
  | { readonly ok: false; readonly fault: FaultJson };

/** A line of a profile's stream; the last one says that it is over. */
export type ProfileLine = ProfileBatch | { readonly done: true };

/** A line of a stream. */
export type StreamLine = ProgressStep | OperationAnswer;
