// What a supervisor has seen so far and hands on to the next program of an upgrade: the last lines of the log
// and the load of the pools. Of another version it may have another shape: what is not understood is left out.

import type { RecentSnapshot } from "../log/recent.ts";
import type { Handover } from "../sys/exec/handover.ts";
import { NO_LOAD, type PoolLoad } from "./watch/pool-load.ts";

export interface Seen {
  readonly recent: RecentSnapshot;
  readonly loads: Readonly<Record<string, PoolLoad>>;
}

/** As far as the program before has handed it over. */
export function seenBefore(handover: Handover | null): {
  /** For RecentLog to judge. */
  readonly recent: unknown;
  readonly loads: Seen["loads"];
} {
  const { recent, loads } = (handover?.seen ?? {}) as Partial<Seen>;
  const known = Object.entries(loads ?? {}).filter(([, load]) => isLoad(load));
  return { recent, loads: Object.fromEntries(known) };
}

/** Its numbers are all there, whatever they are. */
function isLoad(load: PoolLoad): boolean {
  const parts = Object.entries(NO_LOAD) as [keyof PoolLoad, unknown][];
  return parts.every(([name, none]) => {
    const value = load[name];
    return Array.isArray(none)
      ? Array.isArray(value)
      : value === null || typeof value === typeof none;
  });
}
