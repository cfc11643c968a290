// The failures of a generation's workers: which ends count as one, how long the next start has to
// wait, and when the pool has recovered.

import type { Emit } from "../event.ts";
import { asFault } from "../fault.ts";
import { ended } from "../log/words.ts";
import { after, now } from "../sys/clock.ts";
import type { Group } from "../worker/group.ts";
import { afterFailure, type Backoff, NO_BACKOFF, PROVEN_MS } from "./backoff.ts";

/** After so long without a loss, a pool that had been failing has recovered. */
const RECOVERED_MS = 10_000;
/** So many workers in a row may have served their share without having been seen to. */
const UNSEEN_MOST = 20;

export class Failures {
  private readonly pool: string;
  private readonly emit: Emit;
  private backoff: Backoff = NO_BACKOFF;
  private unseen = 0;
  private recovery: (() => void) | null = null;

  constructor(pool: string, emit: Emit) {
    this.pool = pool;
    this.emit = emit;
  }

  /** In a row. */
  get count(): number {
    return this.backoff.failures;
  }

  /** For so long nothing is to be started. */
  get waitMs(): number {
    return Math.max(0, this.backoff.notBefore - now());
  }

  /** Counts the end of a group, if it was a failure. `alone`: as for `mayHaveServed`. */
  lost(group: Group, alone: boolean): void {
    if (this.endedTooSoon(group, alone)) this.add(ended(group.ended!.end), true);
  }

  /**
   * Whether one that ended well may have served unseen, so that the next is to be started at once. Not one
   * after the other: those of a program that serves are seen now and then. `alone`: nobody else serves on
   * the socket; then a queue that has become shorter says so too, which it does by accept(2) only.
   */
  mayHaveServed({ waiting, context, uptimeMs }: Group, alone: boolean): boolean {
    const isShorter = alone && (context.listener.queue()?.length ?? 0) < waiting;
    this.unseen = isShorter || uptimeMs >= PROVEN_MS ? 0 : this.unseen + 1;
    return this.unseen <= UNSEEN_MOST;
  }

  /** One of them has served. */
  hasServed(): void {
    this.unseen = 0;
  }

  /** Counts a start that failed, for which reason. */
  notStarted(error: unknown): void {
    const { message, cause } = asFault(error);
    const more = cause instanceof Error && cause.message !== message ? ` (${cause.message})` : "";
    this.add(`${message}${more}`, false);
  }

  /** All that is wanted is there: when it stays like that, the failures are forgotten. */
  settled(): void {
    if (this.count === 0 || this.recovery !== null) return;
    this.recovery = after(RECOVERED_MS, () => {
      this.recovery = null;
      this.emit({ type: "pool-recovered", pool: this.pool, failures: this.count });
      this.backoff = NO_BACKOFF;
    });
  }

  /** Something is missing again, or nothing is wanted any more. */
  unsettled(): void {
    this.recovery?.();
    this.recovery = null;
  }

  private add(why: string, wasReady: boolean): void {
    const before = this.backoff;
    this.backoff = afterFailure(before, now(), wasReady);
    const { failures } = this.backoff;
    const delayMs = this.waitMs;
    if (this.backoff === before || delayMs === 0) return;
    this.emit({ type: "backing-off", pool: this.pool, failures, delayMs, why });
  }

  /** A recycled worker did not fail; but one after the other that nobody has ever seen serve did. */
  private endedTooSoon(group: Group, alone: boolean): boolean {
    const { reason } = group.ended!;
    if (reason === "timed-out") return false;
    if (reason === "unproven") return !this.mayHaveServed(group, alone);
    if (reason !== "recycled") return group.uptimeMs < PROVEN_MS;
    this.unseen = group.wasReady === "inferred" ? this.unseen + 1 : 0;
    return this.unseen > UNSEEN_MOST;
  }
}
