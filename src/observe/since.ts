// Since when processes have been seen to be as they are. It remembers no more than the last look at
// each set of them: who was not in it is forgotten.

import type { ProcessId } from "../sys/proc/procfs.ts";

interface Seen {
  readonly startTime: number;
  readonly what: string;
  readonly since: number;
}

/** A process, and what it is seen to be in one word; null = nothing that lasts. */
export interface Sighting {
  readonly process: ProcessId;
  readonly what: string | null;
}

export class Since {
  private readonly lastLook = new WeakMap<object, ReadonlyMap<number, Seen>>();

  /** A look at all of a set at `time`; gives by pid since when each is what it is. */
  look(set: object, sightings: readonly Sighting[], time: number): ReadonlyMap<number, number> {
    const before = this.lastLook.get(set);
    const now = new Map<number, Seen>();
    for (const { process, what } of sightings) {
      const { pid, startTime } = process;
      const last = before?.get(pid);
      const isSame = last?.startTime === startTime && last.what === what;
      if (what !== null) now.set(pid, isSame ? last : { startTime, what, since: time });
    }
    this.lastLook.set(set, now);
    return new Map([...now].map(([pid, { since }]) => [pid, since]));
  }
}
