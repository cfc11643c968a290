// For how long the last active worker of a pool has had no request. Nobody counts requests, so what it has
// read tells: every request changes that.

import type { WorkerView } from "../observe/sample.ts";
import { now } from "../sys/clock.ts";
import { bytesRead } from "../sys/proc/procfs.ts";

export class Quiet {
  private last: { readonly since: number; readonly mark: string } | null = null;

  /** The worker at this moment, in milliseconds; null = there are others, or it is at work. Returns for how long it has been quiet. */
  look(worker: WorkerView | null, time: number): number {
    if (worker === null) {
      this.last = null;
      return 0;
    }
    const mark = markOf(worker);
    if (this.last?.mark !== mark) this.last = { mark, since: time };
    return time - this.last.since;
  }

  /** Whether it will have been quiet for `forMs` within `withinMs`, if nothing happens. */
  willLast(forMs: number, withinMs: number): boolean {
    return this.last !== null && this.last.since + forMs - now() < withinMs;
  }

  end(): void {
    this.last = null;
  }
}

/** What it has read, or how long it has run where that cannot be seen. */
function markOf({ pid, cpuTicks }: WorkerView): string {
  return `${pid} ${bytesRead(pid) ?? cpuTicks}`;
}
