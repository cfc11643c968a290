// Which workers of a group have requests in flight, as far as has been seen: now and then while they serve or leave,
// and after each signal. Never before one: no signal waits for a look. Who ends by it did what it was last seen to do.

import type { Sample, WorkerSet, WorkerView } from "../observe/sample.ts";

type Pids = readonly number[];
/** Requests by pid. */
type Requests = ReadonlyMap<number, number>;

export class InFlight {
  private lastSeen: Requests = new Map();

  look(sample: Sample, workers: WorkerSet): void {
    const there = sample.workers(workers).map(({ pid }) => pid);
    this.lastSeen = this.seen(sample, workers, there);
  }

  /**
   * A look after a signal; gives how many requests it has met. `wereThere`: who was there before it; null: not
   * known.
   */
  lookAfterSignal(sample: Sample, workers: WorkerSet, wereThere: Pids | null): number {
    this.lastSeen = this.seen(sample, workers, wereThere ?? [...this.lastSeen.keys()]);
    return [...this.lastSeen.values()].reduce((sum, requests) => sum + requests, 0);
  }

  /**
   * Who is seen in one now, and of `among` who was before and has not been seen to be done: whatever else it
   * does by now, it may be about to end in the middle of it, and a table of connections may lack one that changes.
   */
  private seen(sample: Sample, workers: WorkerSet, among: Pids): Requests {
    const requests = sample.requests(workers);
    const isDone = ({ pid, activity }: WorkerView) =>
      activity.doing === "idle" || requests.get(pid)?.record === "none";
    const done = sample.workers(workers).filter(isDone);
    const seen = new Map([...this.lastSeen].filter(([pid]) => among.includes(pid)));
    for (const { pid } of done) seen.delete(pid);
    for (const [pid, count] of sample.inFlight(workers)) seen.set(pid, count);
    return seen;
  }
}
