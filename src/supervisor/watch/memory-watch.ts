// The memory of workers, a few at each look, because each takes a walk through all that it maps. A worker that
// has used CPU time counts as warm: it holds what requests leave behind; a fresh one has only been forked.

import type { Reader } from "../../observe/scoreboard.ts";
import type { Sample, WorkerView } from "../../observe/sample.ts";
import type { Pool } from "../../pool/pool.ts";
import { memoryShare, type MemoryShare } from "../../sys/proc/memory-share.ts";
import { poolsInOrder, type SupervisorState } from "../supervisor-state.ts";
import { lookEveryMs, servingSets } from "./load-watch.ts";

/** Each takes some tenths of a millisecond: of those that are new so many at a look, then one after the other again. */
const NEW_A_LOOK = 5;
const KNOWN_A_LOOK = 1;

interface Seen extends MemoryShare {
  readonly warm: boolean;
  /** By the monotonic clock, in ms. */
  readonly at: number;
}

export interface PoolMemory {
  /** PSS of all workers together, in bytes; null until each has been looked at, or where that cannot be seen. */
  readonly pss: number | null;
  /** PSS of one, on the average, in bytes; null without one. */
  readonly warm: number | null;
  readonly fresh: number | null;
}

export class MemoryWatch implements Reader {
  private readonly state: SupervisorState;
  private seen = new Map<string, Seen>();
  /** Whose memory nobody brings: they are not asked again. */
  private readonly stuck = new Set<string>();

  constructor(state: SupervisorState) {
    this.state = state;
  }

  /** Whenever the load is looked at: what is seen there is not looked at again. */
  get everyMs(): number {
    return lookEveryMs(this.state);
  }

  look(sample: Sample): void {
    const workers = poolsInOrder(this.state).flatMap((pool) => workersOf(pool, sample));
    const known = new Map<string, Seen>();
    for (const worker of workers) {
      const seen = this.seen.get(keyOf(worker));
      if (seen !== undefined) known.set(keyOf(worker), seen);
    }
    this.seen = known;
    const at = (worker: WorkerView) => known.get(keyOf(worker))?.at ?? 0;
    const due = workers.filter((worker) => !this.stuck.has(keyOf(worker)));
    due.sort((a, b) => at(a) - at(b));
    const fresh = due.filter((worker) => at(worker) === 0);
    const next = fresh.length > 0 ? fresh.slice(0, NEW_A_LOOK) : due.slice(0, KNOWN_A_LOOK);
    for (const worker of next) this.lookAt(worker, sample.takenAt);
  }

  of(pool: Pool, sample: Sample): PoolMemory {
    const workers = workersOf(pool, sample);
    const seen = workers.flatMap((worker) => this.seen.get(keyOf(worker)) ?? []);
    return {
      pss: seen.length < workers.length ? null : sum(seen),
      warm: average(seen.filter(({ warm }) => warm)),
      fresh: average(seen.filter(({ warm }) => !warm)),
    };
  }

  private lookAt(worker: WorkerView, at: number): void {
    const share = memoryShare(worker.pid);
    if (share === "stuck") this.stuck.add(keyOf(worker));
    else if (share !== null)
      this.seen.set(keyOf(worker), { ...share, warm: worker.cpuTicks > 0, at });
  }
}

function workersOf(pool: Pool, sample: Sample): WorkerView[] {
  return servingSets(pool).flatMap((set) => sample.workers(set));
}

function keyOf({ pid, startTime }: WorkerView): string {
  return `${pid} ${startTime}`;
}

function sum(seen: readonly Seen[]): number {
  return seen.reduce((all, { pss }) => all + pss, 0);
}

function average(seen: readonly Seen[]): number | null {
  return seen.length === 0 ? null : Math.round(sum(seen) / seen.length);
}
