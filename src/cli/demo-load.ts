// A load at a constant rate for the demo. Each request has a moment at which it is due, and its time
// counts from there, so that a service that stalls cannot hide it by slowing its client down.

import { faultLines, asFault } from "../fault.ts";
import { now, sleep } from "../sys/clock.ts";

export interface LoadResult {
  readonly sent: number;
  readonly lost: number;
  /** What the first lost request was lost to. */
  readonly firstLoss: string | null;
  /** Milliseconds from the moment due to the end of the answer. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Load {
  /** Ends the load; resolves when every request sent is answered or lost. */
  stop(): Promise<LoadResult>;
}

/** Calls `send` so many times a second, whether or not earlier calls are over. A throw is a loss. */
export function startLoad(perSecond: number, send: () => Promise<unknown>): Load {
  const began = now();
  const times: number[] = [];
  const losses: string[] = [];
  const pending: Promise<void>[] = [];
  const over = new AbortController();

  async function one(due: number): Promise<void> {
    try {
      await send();
      times.push(now() - due);
    } catch (error) {
      losses.push(faultLines(asFault(error))[0]!);
    }
  }

  async function run(): Promise<void> {
    while (!over.signal.aborted) {
      const due = began + (pending.length * 1000) / perSecond;
      await sleep(Math.max(0, due - now()), over.signal);
      if (!over.signal.aborted) pending.push(one(due));
    }
  }

  const running = run();
  return {
    async stop() {
      over.abort();
      await running;
      await Promise.all(pending);
      return result(times, losses);
    },
  };
}

function result(times: number[], losses: readonly string[]): LoadResult {
  const sorted = times.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return {
    sent: times.length + losses.length,
    lost: losses.length,
    firstLoss: losses[0] ?? null,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
  };
}
