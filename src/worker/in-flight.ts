// Which workers of a group have a request in flight, as far as has been seen: now and then while they serve or leave,
// and after each signal. Never before one: no signal waits for a look. Who ends by it did what it was last seen to do.

import type { Sample, WorkerSet } from "../observe/sample.ts";

type Pids = readonly number[];

export class InFlight {
  private lastSeen: Pids = [];

  look(sample: Sample, workers: WorkerSet): void {
    this.lastSeen = sample.inFlight(workers).map(({ pid }) => pid);
  }

  /** A look after a signal; gives how many it has met. `wereThere`: who was there before it; null: not known. */
  lookAfterSignal(sample: Sample, workers: WorkerSet, wereThere: Pids | null): number {
    const before = wereThere === null ? this.lastSeen : common(this.lastSeen, wereThere);
    // Whatever else a worker does by now, it may be about to end in the middle of its request.
    const done = sample.workers(workers).filter(({ activity }) => activity.doing === "idle");
    const met = new Set(before).difference(new Set(done.map(({ pid }) => pid)));
    for (const { pid } of sample.inFlight(workers)) met.add(pid);
    this.lastSeen = [...met];
    return met.size;
  }
}

function common(some: Pids, others: Pids): Pids {
  return some.filter((pid) => others.includes(pid));
}
