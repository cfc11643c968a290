// What each busy worker is doing now: its request, what it waits for, and its call stack where the program
// shows one. The workers take no part in it. The shape goes over the control socket as it is.

import type { Activity } from "../../observe/activity.ts";
import type { Frame, Stack } from "../../observe/stack.ts";
import { type Waiting, waitingOf } from "../../observe/waits-for.ts";
import { now, yieldToEvents } from "../../sys/clock.ts";
import type { SupervisorState } from "../supervisor-state.ts";
import { type TraceChoice, type Traced, tracedWorkers } from "./traced.ts";

export interface WorkerTrace {
  readonly pid: number;
  readonly pool: string;
  readonly generation: number;
  readonly state: Exclude<Activity["doing"], "gone">;
  /** How long it has been seen in this request; null when it is in none. */
  readonly request_ms: number | null;
  readonly request: {
    readonly method: string;
    readonly uri: string;
    readonly script: string;
  } | null;
  /** What it waits for; null for one that waits for a connection. */
  readonly waiting: Waiting | null;
  readonly stack: StackTrace;
}

export interface StackTrace {
  /** The function that runs first; none where the program shows none, or runs no such code. */
  readonly frames: readonly Frame[];
  /** There are more frames below. */
  readonly cut: boolean;
  /** Functions on top came and went faster than they could be read. */
  readonly moving: boolean;
  /** Why the stack cannot be told; null when there is nothing to doubt. */
  readonly unsure: string | null;
}

export interface Trace {
  readonly workers: readonly WorkerTrace[];
  /** Workers of the choice that only wait for a connection, or to be needed. */
  readonly idle: number;
}

/** Milliseconds of looking after which others get their turn. */
const SLICE_MS = 5;

/** A worker that was named is told of even if it is idle. Throws a Fault when there is no such pool or worker. */
export async function trace(state: SupervisorState, choice: TraceChoice): Promise<Trace> {
  const all = tracedWorkers(state, choice);
  const workers: WorkerTrace[] = [];
  let since = now();
  for (const traced of shownOf(all, choice)) {
    workers.push(workerTrace(traced));
    if (now() - since < SLICE_MS) continue;
    await yieldToEvents();
    since = now();
  }
  return {
    workers,
    idle: all.filter(rests).length,
  };
}

/** Only these are looked into. */
function shownOf(all: readonly Traced[], { pid, longest }: TraceChoice): readonly Traced[] {
  const shown = pid === null ? all.filter((traced) => !rests(traced)) : all;
  if (longest === null) return shown;
  return shown
    .map((traced) => ({ traced, ms: requestMs(traced) ?? -1 }))
    .filter(({ ms }) => ms >= 0)
    .sort((one, other) => other.ms - one.ms)
    .slice(0, longest)
    .map(({ traced }) => traced);
}

function rests({ worker: { activity } }: Traced): boolean {
  return activity.doing === "idle" || activity.doing === "parked";
}

function workerTrace(traced: Traced): WorkerTrace {
  const { group, worker, request } = traced;
  const { pid, activity } = worker;
  const { pool, runtime, generation } = group.context;
  const record = request?.record ?? null;
  const connection = activity.doing === "busy" ? activity.connection.inode : null;
  const isIdle = rests(traced);
  return {
    pid,
    pool: pool.name,
    generation,
    state: activity.doing,
    request_ms: requestMs(traced),
    request:
      record === null || record === "none"
        ? null
        : { method: record.method, uri: record.uri, script: record.script },
    waiting: isIdle ? null : waitingOf(pid, connection),
    stack: stackTrace(isIdle ? { got: "nothing" } : runtime.stackReader?.(pid).read()),
  };
}

/** Where a connection carries one request, it is as old as the connection has been seen to be. */
function requestMs({ worker, request }: Traced): number | null {
  if (request === null || request.since === null) return null;
  const { record, since } = request;
  const isOnly = record !== null && record !== "none" && !record.kept;
  return Math.max(0, Math.round(now() - (isOnly ? Math.min(worker.since, since) : since)));
}

function stackTrace(stack: Stack = { got: "nothing" }): StackTrace {
  switch (stack.got) {
    case "stack":
      return { frames: stack.frames, cut: stack.isCut, moving: stack.isMoving, unsure: null };
    case "nothing":
      return { frames: [], cut: false, moving: false, unsure: null };
    case "unsure":
      return { frames: [], cut: false, moving: false, unsure: stack.why };
  }
}
