// The graceful stop of the workers of a draining group: each is asked to leave when that does not hurt
// its request (stop-policy.ts decides). Runs until they are gone or the deadline has changed the group's
// state.

import type { PoolConfig } from "../config/model.ts";
import { type Activity, activityOf, holdsConnection } from "../observe/activity.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Address } from "../sys/address.ts";
import { now, sleep } from "../sys/clock.ts";
import { hangUp } from "../sys/pidfd.ts";
import { type Signal, sendSignal } from "../sys/process.ts";
import { processStat } from "../sys/procfs.ts";
import type { Members } from "./members.ts";
import { type StopStep, stopStep } from "./stop-policy.ts";

export interface GracefulStop {
  readonly pool: Pick<PoolConfig, "stopSignal" | "drainTimeoutMs">;
  readonly runtime: Runtime;
  readonly address: Address;
  readonly members: Pick<Members, "workers">;
  /** Whether to go on asking. */
  readonly goesOn: () => boolean;
}

/** What is remembered of one worker between two looks. */
interface Memory {
  readonly firstConnection: string | null;
  signalledAt: number | null;
  /** Since when it waits on this connection for its client. */
  silence: { readonly inode: string; readonly since: number } | null;
}

const POLL_MS = 5;
const POLL_MOST_MS = 50;
/** A busy worker is left alone so long, even where the stop signal would let it finish. */
const PATIENCE_MOST_MS = 5000;

export async function stopGracefully(stop: GracefulStop): Promise<void> {
  const startedAt = now();
  const memory = new Map<number, Memory>();
  for (let pause = POLL_MS; stop.goesOn(); pause = Math.min(pause * 1.2, POLL_MOST_MS)) {
    for (const { pid } of stop.members.workers()) askWorker(stop, pid, memory, startedAt);
    await sleep(pause);
  }
}

function askWorker(
  stop: GracefulStop,
  pid: number,
  memory: Map<number, Memory>,
  startedAt: number,
): void {
  const { pool, runtime, address } = stop;
  const activity = activityOf(pid, address);
  const known = remember(memory, pid, activity);
  const record = activity.doing === "busy" ? (runtime.requestOf?.(pid) ?? null) : null;
  const step = stopStep({
    activity,
    request: record === null ? "unknown" : record === "none" ? "none" : "in-flight",
    // Who sets stop_signal says that the program understands it.
    whileBusy: pool.stopSignal === null ? runtime.stopSignalWhileBusy : "finishes-request",
    firstConnection: known.firstConnection,
    elapsedMs: now() - startedAt,
    signalledMs: known.signalledAt === null ? null : now() - known.signalledAt,
    silentMs: known.silence === null ? null : now() - known.silence.since,
    patienceMs: Math.min(PATIENCE_MOST_MS, pool.drainTimeoutMs / 2),
  });
  const name = (pool.stopSignal as Signal | null) ?? runtime.stopSignal;
  if (act(step, pid, activity, name)) known.signalledAt = now();
}

function remember(memory: Map<number, Memory>, pid: number, activity: Activity): Memory {
  const connection = activity.doing === "busy" ? activity.connection : null;
  let known = memory.get(pid);
  if (known === undefined) {
    known = { firstConnection: connection?.inode ?? null, signalledAt: null, silence: null };
    memory.set(pid, known);
  }
  if (connection === null || !connection.awaited) known.silence = null;
  else if (known.silence?.inode !== connection.inode)
    known.silence = { inode: connection.inode, since: now() };
  return known;
}

/** Does it; whether the worker has been sent the signal. */
function act(step: StopStep, pid: number, activity: Activity, name: Signal): boolean {
  switch (step) {
    case "wait":
      return false;
    case "signal":
      return sendSignal(pid, name);
    case "freeze-and-look":
      return signalIfIdle(pid, name);
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
function signalIfIdle(pid: number, name: Signal): boolean {
  sendSignal(pid, "SIGSTOP");
  const stopped = untilStopped(pid);
  const free = stopped && holdsConnection(pid) === false;
  if (free) sendSignal(pid, name);
  sendSignal(pid, "SIGCONT");
  return free;
}

/** A stop takes effect within microseconds when the process sleeps, within a scheduler tick when it runs. */
function untilStopped(pid: number): boolean {
  const LOOKS = 200;
  for (let i = 0; i < LOOKS; i++) {
    const state = processStat(pid)?.state;
    if (state === undefined || state === "Z") return false;
    if (state === "T" || state === "t") return true;
  }
  return false;
}
