// How many workers a pool needs, from what was seen of it, and what memory and processors allow. Pure: figures in,
// figures and reasons out.

import type { Hour, PoolLoad } from "./watch/pool-load.ts";
import type { PoolMemory } from "./watch/memory-watch.ts";

export interface Figures {
  readonly workers: number;
  /** Workers come in groups of so many. */
  readonly groupSize: number;
  readonly load: PoolLoad;
  readonly memory: PoolMemory;
  /** Bytes that new processes can have; null = not told. */
  readonly freeBytes: number | null;
  /** Bytes that the pool may have together; null = no limit. */
  readonly limitBytes: number | null;
  readonly processors: number;
}

export type Verdict =
  /** Too little was seen. */
  | "unknown"
  | "enough"
  | "fewer would do"
  | "more"
  /** More are wanted, but there is no memory for them. */
  | "memory"
  /** The processors were used up while all were busy: more workers would only wait for them. */
  | "processors";

export interface Advice {
  readonly verdict: Verdict;
  /** How many there should be; as many as there are where nothing is to be changed. */
  readonly workers: number;
  /** The most that were in use or waited for at once. */
  readonly wanted: number;
  /** As many as memory has room for, those that there are included; null = not known. */
  readonly room: number | null;
  /** Of one worker, in bytes; null = has not been seen. */
  readonly workerBytes: number | null;
}

/** Of what was wanted at the highest, so much more: what was seen is not the highest there will be. */
const HEADROOM = 1.25;
/** Of the memory that is free, so much is for workers. */
const SHARE = 0.8;
/** Processors that are used to this share have no more to give. */
const USED_UP = 0.85;
/** Looks, of which there is one a second. */
const LOOKS_LEAST = 600;

export function advise(figures: Figures): Advice {
  const { workers, groupSize, load, processors } = figures;
  const wanted = wantedOf(load);
  const needed = inGroups(Math.max(1, Math.ceil(wanted * HEADROOM)), groupSize);
  const room = roomOf(figures);
  const advice = (verdict: Verdict, count: number): Advice => ({
    verdict,
    workers: count,
    wanted,
    room,
    workerBytes: workerBytes(figures.memory),
  });
  if (load.allBusyTimes === 0 || needed <= workers) {
    // That it was enough for a moment says nothing.
    if (looksOf(load.hours) < LOOKS_LEAST) return advice("unknown", workers);
    // A worker that is not needed costs next to nothing: said only where it is most of them.
    return needed * 2 < workers ? advice("fewer would do", needed) : advice("enough", workers);
  }
  if (load.cpuPercentAllBusy >= processors * 100 * USED_UP) return advice("processors", workers);
  if (room === null || room >= needed) return advice("more", needed);
  return advice("memory", Math.max(1, downToGroups(room, groupSize)));
}

/** Whoever waited while all were busy would have had a worker of his own. */
function wantedOf({ busyMost, queueMost, allBusyTimes }: PoolLoad): number {
  return busyMost + (allBusyTimes > 0 ? (queueMost ?? 0) : 0);
}

function workerBytes({ warm, fresh }: PoolMemory): number | null {
  return warm ?? fresh;
}

function roomOf({ memory, freeBytes, limitBytes, workers }: Figures): number | null {
  const each = workerBytes(memory);
  if (each === null || each === 0) return null;
  const more = freeBytes === null ? null : workers + Math.floor((freeBytes * SHARE) / each);
  const most = limitBytes === null ? null : Math.floor((limitBytes * SHARE) / each);
  return more === null ? most : most === null ? more : Math.min(more, most);
}

export function looksOf(hours: readonly Hour[]): number {
  return hours.reduce((sum, { looks }) => sum + looks, 0);
}

function inGroups(count: number, size: number): number {
  return Math.ceil(count / size) * size;
}

function downToGroups(count: number, size: number): number {
  return Math.max(size, Math.floor(count / size) * size);
}
