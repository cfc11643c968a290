// What a responsible generation has lost, and the starting of it anew: at once where nothing is wrong,
// slower and slower where workers keep failing, and never given up.

import type { Emit } from "../event.ts";
import { asFault } from "../fault.ts";
import { after, now } from "../sys/clock.ts";
import { ended } from "../log/words.ts";
import type { Group } from "../worker/group.ts";
import { afterFailure, type Backoff, NO_BACKOFF, PROVEN_MS } from "./backoff.ts";

/** After so long without a loss, a pool that had been failing counts as well again. */
const RECOVERED_MS = 10_000;
/** So many workers in a row may have served their share without having been seen to. */
const UNSEEN_MOST = 20;

interface Missing {
  readonly size: number;
  /** Workers whose leader is gone, which the replacement will relieve. */
  readonly orphans: Group | null;
}

export class Losses {
  private readonly pool: string;
  private readonly emit: Emit;
  private readonly spawn: (size: number) => Group;
  private check: () => Promise<void> = async () => {};
  private missing: Missing[] = [];
  private backoff: Backoff = NO_BACKOFF;
  private unseen = 0;
  private over = false;
  private cancelRefill: (() => void) | null = null;
  private cancelRecovery: () => void = () => {};

  constructor(pool: string, emit: Emit, spawn: (size: number) => Group) {
    this.pool = pool;
    this.emit = emit;
    this.spawn = spawn;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.backoff.failures;
  }

  /** Has `check` asked before each try; what it throws counts as a failure. */
  checkFirst(check: () => Promise<void>): void {
    this.check = check;
  }

  /** Notes that a group of this size is to be started. */
  want(size: number, orphans: Group | null): void {
    this.missing.push({ size, orphans });
    this.cancelRecovery();
  }

  /** Counts the end of a group as a failure, if it was one. */
  judge(group: Group): void {
    if (this.endedTooSoon(group)) this.countFailure(ended(group.ended!.end), true);
  }

  countFailure(why: string, wasReady: boolean): void {
    const before = this.backoff;
    this.backoff = afterFailure(before, now(), wasReady);
    const delay = this.backoff.notBefore - now();
    if (this.backoff === before || delay <= 0) return;
    const { failures } = this.backoff;
    this.emit({ type: "backing-off", pool: this.pool, failures, delayMs: delay, why });
  }

  /** Starts what is missing, now or when the wait is over. */
  refill(): void {
    if (this.cancelRefill !== null || this.over) return;
    const wait = this.backoff.notBefore - now();
    if (wait > 0) {
      this.cancelRefill = after(wait, () => {
        this.cancelRefill = null;
        this.refill();
      });
      return;
    }
    for (const lost of this.missing.splice(0)) void this.replace(lost);
  }

  /** Nothing is to be started any more. */
  end(): void {
    this.over = true;
    this.missing = [];
    this.cancelRefill?.();
    this.cancelRefill = null;
    this.cancelRecovery();
  }

  /** A recycled worker did not fail; but one after the other that nobody has ever seen serve did. */
  private endedTooSoon(group: Group): boolean {
    const { reason } = group.ended!;
    if (reason === "timed-out") return false;
    if (reason !== "recycled") return group.uptimeMs < PROVEN_MS;
    this.unseen = group.wasReady === "inferred" ? this.unseen + 1 : 0;
    return this.unseen > UNSEEN_MOST;
  }

  private async replace({ size, orphans }: Missing): Promise<void> {
    try {
      await this.check();
      if (this.over) return;
      await this.spawn(size).ready;
      void orphans?.drain();
      this.watchRecovery();
    } catch (error) {
      if (this.over) return;
      this.want(size, orphans);
      this.countFailure(reasonText(error), false);
      this.refill();
    }
  }

  private watchRecovery(): void {
    if (this.backoff.failures === 0 || this.missing.length > 0) return;
    this.cancelRecovery();
    this.cancelRecovery = after(RECOVERED_MS, () => {
      this.emit({ type: "pool-recovered", pool: this.pool, failures: this.backoff.failures });
      this.backoff = NO_BACKOFF;
    });
  }
}

function reasonText(error: unknown): string {
  const { message, cause } = asFault(error);
  return cause instanceof Error && cause.message !== message
    ? `${message} (${cause.message})`
    : message;
}
