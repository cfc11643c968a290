// Looks now and then which workers have a request in flight, where that cannot be seen when it is asked for: a program
// may end by the very signal that asks it to, and of any that leaves KILL may be the next thing it gets.

import type { Reader } from "../observe/scoreboard.ts";
import type { Sample } from "../observe/sample.ts";
import type { Group } from "../worker/group.ts";
import type { Pool } from "./pool.ts";

const LOOK_EVERY_MS = 1000;
/** While somebody leaves. */
const OFTEN_MS = 200;
/** Each worker is some files of /proc to read: of hundreds of pools so many a second, and no more. */
const POOLS_A_SECOND = 40;

export class InFlightWatch implements Reader {
  private readonly pools: () => readonly Pool[];

  constructor(pools: () => readonly Pool[]) {
    this.pools = pools;
  }

  get everyMs(): number {
    const pools = this.pools();
    const least = pools.some(({ leaving }) => leaving.length > 0) ? OFTEN_MS : LOOK_EVERY_MS;
    return Math.max(least, (pools.length * 1000) / POOLS_A_SECOND);
  }

  look(sample: Sample): void {
    for (const { current, leaving } of this.pools())
      for (const { all } of [current, ...leaving])
        for (const group of all) if (isToBeSeen(group)) group.lookWhoIsInFlight(sample);
  }
}

function isToBeSeen({ state, context }: Group): boolean {
  if (state === "serving" || state === "orphaned")
    return context.runtime.stopSignalWhileBusy === "ends-request";
  return state === "draining" || state === "terminating";
}
