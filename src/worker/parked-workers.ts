// The parked workers of one group: stopped while idle, so that they are out of the accept queue, and
// continued when they are needed. A worker that has just taken a connection when it is stopped goes on
// at once, so nothing ever waits behind one that is parked. It decides nothing: who is to be parked, and how
// many are to wake, is the pool's.

import { isStopped, type Listening, wasIdle } from "../observe/activity.ts";
import { AcceptedSockets } from "../observe/accepted.ts";
import { now } from "../sys/clock.ts";
import { sendSignal } from "../sys/process.ts";
import { type ProcessId, stillThere } from "../sys/proc/procfs.ts";
import type { Guardian } from "./guardian.ts";
import { untilNextLook } from "./pace.ts";

export interface ParkedContext {
  /** The process group of the workers. */
  readonly group: number;
  readonly listener: Listening;
  readonly guardian: Guardian;
}

/** How often it is looked whether a stop has taken effect. */
const LOOK_EVERY_MS = 1;
/** On a starved machine a process gets its CPU, and is stopped, that late; then it goes on. */
const STOP_MOST_MS = 1000;

export class ParkedWorkers {
  private readonly context: ParkedContext;
  /** Start times by pid, those parked first coming first. */
  private readonly workers = new Map<number, number>();
  /** When one was parked last. */
  lastAt = 0;
  private isParking = false;
  private isOver = false;

  constructor(context: ParkedContext) {
    this.context = context;
  }

  get count(): number {
    return this.workers.size;
  }

  has({ pid, startTime }: ProcessId): boolean {
    return this.workers.get(pid) === startTime;
  }

  /**
   * Parks those of them that are idle. One call at a time: another one meanwhile does nothing. Resolves
   * with whether it could be seen what each was doing; one that hides that goes on.
   */
  async park(workers: readonly ProcessId[]): Promise<boolean> {
    if (this.isOver || this.isParking || workers.length === 0) return true;
    this.isParking = true;
    this.lastAt = now();
    try {
      this.context.guardian.guard(this.context.group);
      for (const { pid, startTime } of workers) {
        this.workers.set(pid, startTime);
        sendSignal(pid, "SIGSTOP");
      }
      await allStopped(workers);
      return this.wakeUnlessIdle(workers);
    } finally {
      this.isParking = false;
      this.releaseIfNone();
    }
  }

  /** Continues so many, those parked last first: they are the ones that have served. Returns how many. */
  wake(count: number): number {
    const last = [...this.workers.keys()].slice(-count);
    if (count > 0) for (const pid of last.reverse()) this.continue(pid);
    this.releaseIfNone();
    return count > 0 ? last.length : 0;
  }

  /** Continues this one, if it is parked. */
  wakeOne(pid: number): void {
    if (this.workers.has(pid)) this.continue(pid);
    this.releaseIfNone();
  }

  /** Forgets those that have ended, or that somebody else has continued. */
  keep(isParked: (worker: ProcessId) => boolean): void {
    if (this.isParking) return;
    for (const [pid, startTime] of this.workers)
      if (!isParked({ pid, startTime })) this.workers.delete(pid);
    this.releaseIfNone();
  }

  /** Continues all, and parks nobody any more: they are to leave. */
  end(): void {
    this.isOver = true;
    this.wake(this.workers.size);
  }

  private wakeUnlessIdle(workers: readonly ProcessId[]): boolean {
    const { listener } = this.context;
    const accepted = new AcceptedSockets();
    let isSeen = true;
    // Some may have been woken meanwhile.
    for (const worker of workers.filter((each) => this.has(each))) {
      const stat = stillThere(worker);
      const isThere = stat !== null && isStopped(stat.state);
      const idle = isThere ? wasIdle(stat, listener, accepted) : false;
      if (idle === true) continue;
      this.continue(worker.pid);
      isSeen &&= idle !== null || stopOf(worker) === "ended";
    }
    return isSeen;
  }

  private continue(pid: number): void {
    this.workers.delete(pid);
    sendSignal(pid, "SIGCONT");
  }

  private releaseIfNone(): void {
    if (this.workers.size === 0 && !this.isParking)
      this.context.guardian.release(this.context.group);
  }
}

async function allStopped(workers: readonly ProcessId[]): Promise<void> {
  for (const deadline = now() + STOP_MOST_MS; now() < deadline; await untilNextLook(LOOK_EVERY_MS))
    if (workers.every((worker) => stopOf(worker) !== "not-yet")) return;
}

function stopOf(worker: ProcessId): "stopped" | "not-yet" | "ended" {
  const stat = stillThere(worker);
  if (stat === null) return "ended";
  return isStopped(stat.state) ? "stopped" : "not-yet";
}
