// Which workers of a group have requests in flight, as far as has been seen: now and then while they serve or leave,
// and after each signal. Never before one: no signal waits for a look. Who ends by it did what it was last seen to do.

import type { Sample, WorkerSet } from "../observe/sample.ts";

type Pids = readonly number[];
/** Requests by pid. */
type Requests = ReadonlyMap<number, number>;

export class InFlight {
  private lastSeen: Requests = new Map();

  look(sample: Sample, workers: WorkerSet): void {
    this.lastSeen = sample.inFlight(workers);
  }

  /**
   * A look after a signal; gives how many requests it has met. `wereThere`: who was there before it; null: not
   * known.
   */
  lookAfterSignal(sample: Sample, workers: WorkerSet, wereThere: Pids | null): number {
    const before = [...this.lastSeen].filter(([pid]) => wereThere?.includes(pid) ?? true);
    // Whatever else a worker does by now, it may be about to end in the middle of its request.
    const idle = sample.workers(workers).filter(({ activity }) => activity.doing === "idle");
    const done = new Set(idle.map(({ pid }) => pid));
    const met = new Map(before.filter(([pid]) => !done.has(pid)));
    for (const [pid, requests] of sample.inFlight(workers)) met.set(pid, requests);
    this.lastSeen = met;
    return [...met.values()].reduce((sum, requests) => sum + requests, 0);
  }
}
