// The graceful stop of the workers of a draining group: each is asked to leave when that does not hurt
// its request (stop-policy.ts decides). Runs until they are gone or the deadline has changed the group's
// state.

import type { PoolConfig } from "../config/model.ts";
import {
  type Activity,
  holdsConnection,
  type Listening,
  threadsInAccept,
} from "../observe/activity.ts";
import type { RequestRecord } from "../observe/request.ts";
import type { Sample, WorkerSet, WorkerView } from "../observe/sample.ts";
import type { Scoreboard } from "../observe/scoreboard.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { now } from "../sys/clock.ts";
import { hangUp } from "../sys/pidfd.ts";
import { type Signal, sendSignal, signalThread } from "../sys/process.ts";
import { processStat } from "../sys/proc/procfs.ts";
import { areAllStopped } from "../sys/proc/threads.ts";
import { untilNextLook } from "./pace.ts";
import { type StopStep, stopStep } from "./stop-policy.ts";

export interface GracefulStop {
  readonly pool: Pick<PoolConfig, "stopSignal" | "drainTimeoutMs">;
  readonly runtime: Runtime;
  readonly workers: WorkerSet;
  readonly scoreboard: Scoreboard;
  /** Whether to go on asking. */
  readonly goesOn: () => boolean;
}

/** What is remembered of one worker between two looks. */
interface Memory {
  readonly firstConnection: string | null;
  /** Inode of the last connection on which it was seen to do anything but wait for its client. */
  usedConnection: string | null;
  signalledAt: number | null;
}

const POLL_MS = 5;
const POLL_MOST_MS = 50;
/** How often and how long it is looked whether a stop has taken effect. */
const STOP_POLL_MS = 1;
const STOP_MOST_MS = 5000;
/** A busy worker is left alone so long, even where the stop signal would let it finish. */
const PATIENCE_MOST_MS = 5000;

export async function stopGracefully(stop: GracefulStop): Promise<void> {
  const startedAt = now();
  const memory = new Map<number, Memory>();
  for (let pause = POLL_MS; stop.goesOn(); pause = Math.min(pause * 1.2, POLL_MOST_MS)) {
    const sample = stop.scoreboard.now();
    const workers = sample.workers(stop.workers);
    await Promise.all(workers.map((worker) => askWorker(stop, worker, sample, memory, startedAt)));
    await untilNextLook(pause);
  }
}

async function askWorker(
  { pool, runtime, workers, scoreboard }: GracefulStop,
  { pid, activity, silentSince }: WorkerView,
  sample: Sample,
  memory: Map<number, Memory>,
  startedAt: number,
): Promise<void> {
  const known = remember(memory, pid, activity);
  const step = stopStep({
    activity,
    request: requestIn(recordOf(pid, activity, sample, workers)),
    // Who sets stop_signal says that the program understands it.
    whileBusy: pool.stopSignal === null ? runtime.stopSignalWhileBusy : "finishes-request",
    firstConnection: known.firstConnection,
    elapsedMs: now() - startedAt,
    signalledMs: known.signalledAt === null ? null : now() - known.signalledAt,
    silentMs: silentSince === null ? null : now() - silentSince,
    mayBeNew: workers.listener.address.kind === "unix" && !isUsed(known, activity),
    patienceMs: Math.min(PATIENCE_MOST_MS, pool.drainTimeoutMs / 2),
  });
  // Many were looked at before this one, and an idle worker gets a request any moment.
  if (step === "signal" && scoreboard.activityNow(pid, workers).doing !== activity.doing) return;
  const name = (pool.stopSignal as Signal | null) ?? runtime.stopSignal;
  const signal: StopSignal = { name, again: known.signalledAt !== null };
  if (await act(step, pid, activity, workers.listener, signal)) known.signalledAt = now();
}

/** How a worker is told to leave, and whether it has been told before. */
interface StopSignal {
  readonly name: Signal;
  readonly again: boolean;
}

/**
 * The kernel gives a signal to any one thread, the first one if it can, and where that has nothing to do with
 * the sockets the others go on waiting in accept(2). So who has not left gets it there as well.
 */
function sendStop(pid: number, listener: Listening, { name, again }: StopSignal): boolean {
  const sent = sendSignal(pid, name);
  const stat = again ? processStat(pid) : null;
  if (stat === null || stat.threads === 1) return sent;
  for (const thread of threadsInAccept(stat, listener)) signalThread(pid, thread, name);
  return sent;
}

/** One that works without a connection may be in a request, too. */
function recordOf(pid: number, { doing }: Activity, sample: Sample, workers: WorkerSet) {
  if (doing === "working") return workers.requestOf?.(pid) ?? null;
  return sample.requests(workers).get(pid)?.record ?? null;
}

function requestIn(record: RequestRecord): "in-flight" | "none" | "unknown" {
  if (record === null) return "unknown";
  return record === "none" ? "none" : "in-flight";
}

function remember(memory: Map<number, Memory>, pid: number, activity: Activity): Memory {
  const connection = activity.doing === "busy" ? activity.connection : null;
  const known = memory.get(pid) ?? {
    firstConnection: connection?.inode ?? null,
    usedConnection: null,
    signalledAt: null,
  };
  if (connection?.awaited === false) known.usedConnection = connection.inode;
  memory.set(pid, known);
  return known;
}

function isUsed({ usedConnection }: Memory, activity: Activity): boolean {
  return activity.doing === "busy" && activity.connection.inode === usedConnection;
}

/** Does it; whether the worker has been sent the signal. */
function act(
  step: StopStep,
  pid: number,
  activity: Activity,
  listener: Listening,
  signal: StopSignal,
): boolean | Promise<boolean> {
  switch (step) {
    case "wait":
      return false;
    case "signal":
      return sendStop(pid, listener, signal);
    case "freeze-and-look":
      return signalIfIdle(pid, listener, signal);
    case "wake":
      sendSignal(pid, "SIGCONT");
      return false;
    case "wake-and-signal": {
      const sent = sendStop(pid, listener, signal);
      sendSignal(pid, "SIGCONT");
      return sent;
    }
    case "hang-up":
      if (activity.doing === "busy") hangUp(pid, activity.connection.fd);
      return false;
  }
}

/**
 * Stops the worker, looks whether it has a connection, signals it only if not, and lets it go on.
 * A connection cannot come in between: a stopped process accepts nothing.
 */
export async function signalIfIdle(
  pid: number,
  listener: Listening,
  signal: StopSignal,
): Promise<boolean> {
  sendSignal(pid, "SIGSTOP");
  try {
    const stopped = await isStopped(pid);
    const free = stopped && holdsConnection(pid, listener) === false;
    if (free) sendStop(pid, listener, signal);
    return free;
  } finally {
    sendSignal(pid, "SIGCONT");
  }
}

/** A stop takes effect when the process gets its CPU next: at once, or on a starved machine some time later. */
async function isStopped(pid: number): Promise<boolean> {
  for (const deadline = now() + STOP_MOST_MS; now() < deadline; await untilNextLook(STOP_POLL_MS)) {
    const stat = processStat(pid);
    if (stat === null || stat.state === "Z") return false;
    const isFirstStopped = stat.state === "T" || stat.state === "t";
    if (isFirstStopped && (stat.threads === 1 || areAllStopped(pid))) return true;
  }
  return false;
}
