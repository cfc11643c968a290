// A load at a constant rate, open loop: each request has a moment at which it is due, and its time
// counts from there, so that a service that stalls cannot hide it by slowing its client down.

import { now, sleep } from "../../sys/clock.ts";
import { type LoadResult, Tally } from "./tally.ts";

export interface LoadPlan {
  readonly perSecond: number;
  /** One request that was due at `dueAt` (on the clock of `now`). A throw is a loss. */
  readonly send: (dueAt: number) => Promise<unknown>;
  /** At most so many at once; what is due beyond that waits here, its time running. */
  readonly atOnce?: number;
  /** Ends by itself after so many milliseconds. */
  readonly forMs?: number;
}

export class Load {
  private readonly plan: LoadPlan;
  private readonly over = new AbortController();
  private readonly tally = new Tally();
  private readonly waiting: number[] = [];
  private readonly idle = Promise.withResolvers<void>();
  private active = 0;
  private allDue = false;
  /** Resolves when the load has ended, by itself or by `stop`, and every request has its outcome. */
  readonly result: Promise<LoadResult>;

  private constructor(plan: LoadPlan) {
    this.plan = plan;
    this.result = this.run();
  }

  /** Begins to send. */
  static start(plan: LoadPlan): Load {
    return new Load(plan);
  }

  /** Sends no more. */
  stop(): Promise<LoadResult> {
    this.over.abort();
    return this.result;
  }

  private async run(): Promise<LoadResult> {
    const { perSecond, forMs = Number.POSITIVE_INFINITY } = this.plan;
    const began = now();
    for (let i = 0; (i * 1000) / perSecond < forMs; i++) {
      const dueAt = began + (i * 1000) / perSecond;
      if (dueAt > now()) await sleep(dueAt - now(), this.over.signal);
      if (this.over.signal.aborted) break;
      // A timer may fire up to a millisecond early; the time of what was sent early counts from there.
      const from = Math.min(dueAt, now());
      this.tally.due(from);
      this.waiting.push(from);
      this.next();
    }
    this.allDue = true;
    this.next();
    await this.idle.promise;
    return this.tally.result(now());
  }

  private next(): void {
    const { atOnce = Number.POSITIVE_INFINITY } = this.plan;
    while (this.active < atOnce && this.waiting.length > 0) void this.one(this.waiting.shift()!);
    if (this.allDue && this.active === 0) this.idle.resolve();
  }

  private async one(dueAt: number): Promise<void> {
    this.active++;
    try {
      await this.plan.send(dueAt);
      this.tally.answered(dueAt, now());
    } catch (error) {
      this.tally.lost(error);
    }
    this.active--;
    this.next();
  }
}
