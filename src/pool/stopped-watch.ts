// A worker that somebody has stopped (SIGSTOP) keeps its request waiting, and a stopped leader
// replaces nobody. Who did it may have forgotten: after a while it is continued. One that a debugger
// holds is another matter, and left alone.

import type { Reader } from "../observe/scoreboard.ts";
import type { Sample } from "../observe/sample.ts";
import { sendSignal } from "../sys/process.ts";
import type { Group } from "../worker/group.ts";
import type { Pool } from "./pool.ts";

const STOPPED_MOST_MS = 10_000;
const LOOK_EVERY_MS = 2000;
/** Each is some files of /proc to read: of hundreds so many a second, and no more. */
const POOLS_A_SECOND = 40;

/** Looks at every process of the serving generations. Who is to leave may be stopped to be looked at. */
export class StoppedWatch implements Reader {
  private readonly pools: () => readonly Pool[];
  /** When it was told of each that is stopped. */
  private told: ReadonlyMap<number, number> = new Map();

  constructor(pools: () => readonly Pool[]) {
    this.pools = pools;
  }

  get everyMs(): number {
    return Math.max(LOOK_EVERY_MS, (this.pools().length * 1000) / POOLS_A_SECOND);
  }

  look(sample: Sample): void {
    const told = new Map<number, number>();
    const groups = this.pools().flatMap(({ current }) => current.all);
    for (const group of groups.filter(({ draining }) => draining === null))
      for (const pid of sample.stopped(group.members)) {
        const toldAt = this.told.get(pid) ?? tellStopped(group, pid, sample.takenAt);
        if (sample.takenAt - toldAt < STOPPED_MOST_MS) told.set(pid, toldAt);
        else resume(group, pid);
      }
    this.told = told;
  }
}

function tellStopped({ context }: Group, pid: number, time: number): number {
  const { pool, emit } = context;
  emit({ type: "worker-stopped", pool: pool.name, pid, resumesInMs: STOPPED_MOST_MS });
  return time;
}

function resume({ context }: Group, pid: number): void {
  const { pool, emit } = context;
  sendSignal(pid, "SIGCONT");
  emit({ type: "worker-resumed", pool: pool.name, pid });
}
