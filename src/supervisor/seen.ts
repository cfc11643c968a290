// What a supervisor has seen so far and hands on to the next program of an upgrade: the last lines of the log,
// the load of the pools, what was counted. A program of another format begins without it.

import type { RecentSnapshot } from "../log/recent.ts";
import type { Handover } from "../sys/exec/handover.ts";
import type { CountsSnapshot } from "./counts/counts.ts";
import type { PoolLoad } from "./watch/pool-load.ts";

/** Grows with every change of the shape. */
const SEEN_FORMAT = 1;

export interface Seen {
  readonly recent: RecentSnapshot;
  readonly loads: Readonly<Record<string, PoolLoad>>;
  readonly counts: CountsSnapshot;
}

/** For `Handover.seen`. */
export function seenForNext(seen: Seen): unknown {
  return { format: SEEN_FORMAT, ...seen };
}

/** What the program before has handed over, if this one understands it. */
export function seenBefore(handover: Handover | null): Partial<Seen> {
  const seen = handover?.seen as (Seen & { readonly format?: unknown }) | undefined;
  return seen?.format === SEEN_FORMAT ? seen : {};
}
