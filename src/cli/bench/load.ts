// A load at a constant rate, open loop: each request has a moment at which it is due, and its time
// counts from there, so that a service that stalls cannot hide it by slowing its client down.

import { now, sleep } from "../../sys/clock.ts";
import { createTally, type LoadResult } from "./tally.ts";

export interface LoadPlan {
  readonly perSecond: number;
  /** One request that was due at `dueAt` (on the clock of `now`). A throw is a loss. */
  readonly send: (dueAt: number) => Promise<unknown>;
  /** At most so many at once; what is due beyond that waits here, its time running. */
  readonly atOnce?: number;
  /** Ends by itself after so many milliseconds. */
  readonly forMs?: number;
}

export interface Load {
  /** Resolves when the load has ended, by itself or by `stop`, and every request has its outcome. */
  readonly result: Promise<LoadResult>;
  /** Sends no more. */
  stop(): Promise<LoadResult>;
}

export function startLoad(plan: LoadPlan): Load {
  const over = new AbortController();
  const result = run(plan, over.signal);
  return {
    result,
    stop() {
      over.abort();
      return result;
    },
  };
}

async function run(plan: LoadPlan, over: AbortSignal): Promise<LoadResult> {
  const { perSecond, atOnce = Number.POSITIVE_INFINITY, forMs = Number.POSITIVE_INFINITY } = plan;
  const tally = createTally();
  const began = now();
  const waiting: number[] = [];
  const idle = Promise.withResolvers<void>();
  let active = 0;
  let allDue = false;

  async function one(dueAt: number): Promise<void> {
    active++;
    try {
      await plan.send(dueAt);
      tally.answered(dueAt, now());
    } catch (error) {
      tally.lost(error);
    }
    active--;
    next();
  }

  function next(): void {
    while (active < atOnce && waiting.length > 0) void one(waiting.shift()!);
    if (allDue && active === 0) idle.resolve();
  }

  for (let i = 0; (i * 1000) / perSecond < forMs; i++) {
    const dueAt = began + (i * 1000) / perSecond;
    if (dueAt > now()) await sleep(dueAt - now(), over);
    if (over.aborted) break;
    // A timer may fire up to a millisecond early; the time of what was sent early counts from there.
    const from = Math.min(dueAt, now());
    tally.due(from);
    waiting.push(from);
    next();
  }
  allDue = true;
  next();
  await idle.promise;
  return tally.result(now());
}
