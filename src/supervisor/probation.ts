// The time after a reload in which a pool's new generation must stand the test of real requests
// (reload.probation). It ends badly when its workers die one after the other, or when it answers the health
// check wrong, twice in a row. It only watches; going back is an operation.

import type { PoolConfig } from "../config/model.ts";
import type { Event } from "../event.ts";
import type { Pool } from "../pool/pool.ts";
import { after } from "../sys/clock.ts";
import { wrongWith } from "../fcgi/expectation.ts";
import { askHealth } from "./start/health.ts";

export type ProbationEnd =
  | { readonly end: "passed" }
  /** Something else began: another reload, a stop. */
  | { readonly end: "superseded" }
  | { readonly end: "failed"; readonly pool: string; readonly why: string };

/** So many deaths that nobody asked for. */
const DEATHS_MOST = 3;
const WRONG_MOST = 2;
const ASK_EVERY_MS = 1000;

export class Probation {
  /** How it ends; never rejects. */
  readonly over: Promise<ProbationEnd>;
  private readonly settle: (end: ProbationEnd) => void;
  private readonly watched: readonly PoolWatch[];
  private readonly abort = new AbortController();

  /** `pools`: those whose new generation has just become responsible. */
  constructor(pools: readonly Pool[]) {
    const { promise, resolve } = Promise.withResolvers<ProbationEnd>();
    this.over = promise;
    this.settle = resolve;
    this.watched = pools
      .filter(({ config }) => config.reload.probationMs > 0)
      .map((pool) => new PoolWatch(pool, this.abort.signal));
    void this.wait();
  }

  hear(event: Event): void {
    for (const pool of this.watched) pool.hear(event);
  }

  end(): void {
    this.settle({ end: "superseded" });
    this.abort.abort();
  }

  private async wait(): Promise<void> {
    const failed = await Promise.race([
      ...this.watched.map(({ failed }) => failed),
      Promise.all(this.watched.map(({ passed }) => passed)).then(() => null),
    ]);
    this.abort.abort();
    this.settle(failed === null ? { end: "passed" } : { end: "failed", ...failed });
  }
}

interface Failure {
  readonly pool: string;
  readonly why: string;
}

class PoolWatch {
  readonly failed: Promise<Failure>;
  readonly passed: Promise<void>;
  private readonly config: PoolConfig;
  private readonly pool: Pool;
  private readonly fail: (failure: Failure) => void;
  /** Those of the generations that leave: how they end does not count. */
  private readonly others: ReadonlySet<number>;
  private deaths = 0;

  constructor(pool: Pool, signal: AbortSignal) {
    const failed = Promise.withResolvers<Failure>();
    const passed = Promise.withResolvers<void>();
    this.failed = failed.promise;
    this.passed = passed.promise;
    this.fail = failed.resolve;
    this.pool = pool;
    this.config = pool.config;
    const leaving = pool.leaving.flatMap(({ all }) => all);
    this.others = new Set(
      leaving.flatMap(({ leader, members }) => [
        leader.pid,
        ...members.workers().map(({ pid }) => pid),
      ]),
    );
    const cancel = after(this.config.reload.probationMs, passed.resolve);
    signal.addEventListener("abort", cancel, { once: true });
    void this.askAgainAndAgain(signal);
  }

  hear(event: Event): void {
    const isDeath =
      (event.type === "group-ended" && DEADLY.includes(event.reason)) ||
      (event.type === "member-ended" && event.unasked);
    if (!isDeath || event.pool !== this.config.name || this.others.has(event.pid)) return;
    this.deaths++;
    if (this.deaths >= DEATHS_MOST)
      this.tell(`${this.deaths} of its new workers died within reload.probation`);
  }

  private async askAgainAndAgain(signal: AbortSignal): Promise<void> {
    const { health } = this.config;
    let wrong = 0;
    while (health !== null && (await this.pause(signal))) {
      // No answer may mean that all workers are busy, which proves nothing.
      const answer = await askHealth(this.config, health, this.pool.listener.address, signal).catch(
        () => null,
      );
      const what = answer === null ? null : wrongWith(answer, health);
      wrong = what === null ? 0 : wrong + 1;
      if (wrong >= WRONG_MOST) return this.tell(`it answers the health check with ${what}`);
    }
  }

  /** Whether it still goes on after it. */
  private pause(signal: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const cancel = after(ASK_EVERY_MS, () => resolve(!signal.aborted));
    const stop = () => {
      cancel();
      resolve(false);
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", stop));
  }

  private tell(why: string): void {
    this.fail({ pool: this.config.name, why });
  }
}

const DEADLY: readonly string[] = ["crashed", "ended", "start-failed", "unproven"];
