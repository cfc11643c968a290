// The graceful stop of the workers of a draining group: each is asked to leave when that does not hurt
// its request (stop-policy.ts decides). Runs until they are gone or the deadline has changed the group's
// state.

import type { PoolConfig } from "../config/model.ts";
import { type Activity, holdsConnection, type Listening } from "../observe/activity.ts";
import type { RequestRecord } from "../observe/request.ts";
import type { Sample, WorkerSet, WorkerView } from "../observe/sample.ts";
import type { Scoreboard } from "../observe/scoreboard.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { now } from "../sys/clock.ts";
import { hangUp } from "../sys/pidfd.ts";
import { type Signal, sendSignal } from "../sys/process.ts";
import { processStat } from "../sys/proc/procfs.ts";
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
    request: requestIn(sample.requests(workers).get(pid)?.record ?? null),
    // Who sets stop_signal says that the program understands it.
    whileBusy: pool.stopSignal === null ? runtime.stopSignalWhileBusy : "finishes-request",
    firstConnection: known.firstConnection,
    elapsedMs: now() - startedAt,
    signalledMs: known.signalledAt === null ? null : now() - known.signalledAt,
    silentMs: silentSince === null ? null : now() - silentSince,
    patienceMs: Math.min(PATIENCE_MOST_MS, pool.drainTimeoutMs / 2),
  });
  // Many were looked at before this one, and an idle worker gets a request any moment.
  if (step === "signal" && scoreboard.activityNow(pid, workers).doing !== activity.doing) return;
  const name = (pool.stopSignal as Signal | null) ?? runtime.stopSignal;
  if (await act(step, pid, activity, workers.listener, name)) known.signalledAt = now();
}

function requestIn(record: RequestRecord): "in-flight" | "none" | "unknown" {
  if (record === null) return "unknown";
  return record === "none" ? "none" : "in-flight";
}

function remember(memory: Map<number, Memory>, pid: number, activity: Activity): Memory {
  const connection = activity.doing === "busy" ? activity.connection : null;
  const known = memory.get(pid) ?? {
    firstConnection: connection?.inode ?? null,
    signalledAt: null,
  };
  memory.set(pid, known);
  return known;
}

/** Does it; whether the worker has been sent the signal. */
function act(
  step: StopStep,
  pid: number,
  activity: Activity,
  listener: Listening,
  name: Signal,
): boolean | Promise<boolean> {
  switch (step) {
    case "wait":
      return false;
    case "signal":
      return sendSignal(pid, name);
    case "freeze-and-look":
      return signalIfIdle(pid, listener, name);
    case "wake-and-signal": {
      const sent = sendSignal(pid, name);
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
  name: Signal,
): Promise<boolean> {
  sendSignal(pid, "SIGSTOP");
  try {
    const stopped = await isStopped(pid);
    const free = stopped && holdsConnection(pid, listener) === false;
    if (free) sendSignal(pid, name);
    return free;
  } finally {
    sendSignal(pid, "SIGCONT");
  }
}

/** A stop takes effect when the process gets its CPU next: at once, or on a starved machine some time later. */
async function isStopped(pid: number): Promise<boolean> {
  for (const deadline = now() + STOP_MOST_MS; now() < deadline; await untilNextLook(STOP_POLL_MS)) {
    const state = processStat(pid)?.state;
    if (state === undefined || state === "Z") return false;
    if (state === "T" || state === "t") return true;
  }
  return false;
}
