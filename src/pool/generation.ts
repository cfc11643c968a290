// A Generation owns the groups started from one version of a pool's config. It comes up as a whole
// or not at all; while it is responsible it refills what it loses; at its end it drains.

import type { PoolConfig } from "../config/model.ts";
import type { Emit, OutputLine } from "../event.ts";
import { asFault } from "../fault.ts";
import type { Listener } from "../socket/listener.ts";
import { after, now } from "../sys/clock.ts";
import { groupSizes } from "../runtime/registry.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { Group } from "../worker/group.ts";
import { endText } from "../worker/exit.ts";
import { afterFailure, type Backoff, NO_BACKOFF, PROVEN_MS } from "./backoff.ts";

export interface GenerationContext {
  readonly pool: PoolConfig;
  readonly runtime: Runtime;
  readonly number: number;
  readonly listener: Listener;
  readonly emit: Emit;
  readonly output: (line: OutputLine) => void;
}

/** After so long without a loss, a pool that had been failing counts as well again. */
const RECOVERED_MS = 10_000;

/** So many workers in a row may have served their share without having been seen to. */
const UNSEEN_MOST = 20;

type Duty =
  /** Coming up; a loss fails the start. */
  | "starting"
  /** Refills what it loses. */
  | "responsible"
  /** Leaving, or never came up. */
  | "relieved";

export class Generation {
  readonly context: GenerationContext;
  readonly startedAt = now();
  private duty: Duty = "starting";
  private readonly groups = new Set<Group>();
  private backoff: Backoff = NO_BACKOFF;
  private unseen = 0;
  private check: () => Promise<void> = async () => {};
  /** What was lost and is not started again yet, with the orphans that the replacement will relieve. */
  private missing: { readonly size: number; readonly orphans: Group | null }[] = [];
  private cancelRefill: (() => void) | null = null;
  private cancelRecovery: () => void = () => {};
  private readonly unstarted: number[];
  private readonly released: number[] = [];
  private readonly failed = Promise.withResolvers<never>();

  constructor(context: GenerationContext) {
    this.context = context;
    this.unstarted = groupSizes(context.pool, context.runtime);
    this.failed.promise.catch(() => {});
  }

  get all(): readonly Group[] {
    return [...this.groups];
  }

  get failures(): number {
    return this.backoff.failures;
  }

  /** Sizes of the groups that are not started yet. */
  get waiting(): readonly number[] {
    return this.unstarted;
  }

  /**
   * Starts the groups, or as many as make up `most` workers (one at least); resolves when every
   * worker of them has reached accept(2). Rejects with the first failure's Fault, or with `signal`'s
   * reason; then nothing of the generation is left.
   */
  async start(signal: AbortSignal, most = Number.POSITIVE_INFINITY): Promise<void> {
    const { pool, number, emit } = this.context;
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => {});
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      const ready: Promise<void>[] = [];
      for (let workers = 0; this.unstarted.length > 0;) {
        const [size] = this.unstarted;
        if (workers > 0 && workers + size! > most) break;
        workers += size!;
        ready.push(this.startNext());
      }
      await Promise.race([Promise.all(ready), this.failed.promise, aborted.promise]);
      this.tellReady();
    } catch (error) {
      const fault = asFault(error);
      // One that is given up because another failed has nothing to tell.
      if (!signal.aborted)
        emit({
          type: "generation-failed",
          pool: pool.name,
          generation: number,
          fault: fault.toJSON(),
        });
      await this.stop();
      throw fault;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Starts the next group that waits; resolves when its workers have reached accept(2). */
  startNext(): Promise<void> {
    const size = this.unstarted.shift();
    if (size === undefined) return Promise.resolve();
    return this.spawn(size).ready;
  }

  /** Says that it serves, once everything is started. */
  tellReady(): void {
    if (this.unstarted.length > 0) return;
    const { pool, number, emit } = this.context;
    const ms = now() - this.startedAt;
    emit({
      type: "generation-ready",
      pool: pool.name,
      generation: number,
      workers: pool.workers,
      ms,
    });
  }

  /** Ends a group whose leader forks without end, and starts it anew when the wait is over. */
  endStorm(group: Group): void {
    const { pool, emit } = this.context;
    emit({ type: "fork-storm", pool: pool.name, leader: group.leader.pid });
    this.want(group.shape.size, null);
    this.countFailure("its leader forked workers that did not live", false);
    void group.stop();
    this.refill();
  }

  /** Lets one group finish and leave, and does not refill it. */
  release(group: Group): Promise<void> {
    this.released.push(group.shape.size);
    return group.drain();
  }

  /** Has what was released wait to be started again, step by step. */
  regain(): void {
    this.unstarted.push(...this.released.splice(0));
  }

  /** Starts what still waits as losses are refilled: again and again. */
  refillAll(): void {
    for (const size of this.unstarted.splice(0)) this.want(size, null);
    this.refill();
  }

  /**
   * Takes duty although it did not come up, and goes on trying: for when nothing else serves.
   * Call after a failed start. `check` is asked before each try; what it throws counts as a failure.
   */
  insist(check: () => Promise<void>): void {
    this.check = check;
    this.duty = "responsible";
    const { pool, runtime } = this.context;
    this.unstarted.length = 0;
    for (const size of groupSizes(pool, runtime)) this.want(size, null);
    this.countFailure("it did not come up", false);
    this.refill();
  }

  /** From here on, what is lost is refilled. */
  takeDuty(): void {
    this.duty = "responsible";
    this.refill();
  }

  /** Lets every worker finish what is in hand and leave. */
  async drain(): Promise<void> {
    const { pool, number, emit } = this.context;
    const since = now();
    this.relieve();
    emit({ type: "drain-started", pool: pool.name, generation: number, workers: pool.workers });
    await Promise.all(this.all.map((group) => group.drain()));
    emit({ type: "drain-finished", pool: pool.name, generation: number, ms: now() - since });
  }

  /** TERM to every worker, KILL a second later. */
  async stop(): Promise<void> {
    this.relieve();
    await Promise.all(this.all.map((group) => group.stop()));
  }

  private relieve(): void {
    this.duty = "relieved";
    this.missing = [];
    this.cancelRefill?.();
    this.cancelRefill = null;
    this.cancelRecovery();
  }

  private spawn(size: number): Group {
    const { pool, runtime, number: generation, listener, emit, output } = this.context;
    const group = new Group(
      { pool, runtime, generation, listener, emit, output, onLost: (lost) => this.onLost(lost) },
      { size, maxRequests: withJitter(pool) },
    );
    this.groups.add(group);
    void group.gone.then(() => this.groups.delete(group));
    return group;
  }

  // ---------------------------------------------------------------- refilling

  private onLost(group: Group): void {
    if (this.duty === "starting" && group.ended!.reason === "recycled") {
      this.want(group.shape.size, null);
      return;
    }
    if (this.duty === "starting") {
      this.failed.reject(
        asFault(group.ended === null ? "a worker ended" : endText(group.ended.end)),
      );
    }
    if (this.duty !== "responsible") return;
    const orphans = group.state === "gone" ? null : group;
    this.want(group.shape.size, orphans);
    if (this.endedTooSoon(group)) this.countFailure(endText(group.ended!.end), true);
    this.refill();
  }

  /** A recycled worker did not fail; but one after the other that nobody has ever seen serve did. */
  private endedTooSoon(group: Group): boolean {
    const { reason } = group.ended!;
    if (reason === "timed-out") return false;
    if (reason !== "recycled") return group.uptimeMs < PROVEN_MS;
    this.unseen = group.wasReady === "inferred" ? this.unseen + 1 : 0;
    return this.unseen > UNSEEN_MOST;
  }

  private want(size: number, orphans: Group | null): void {
    this.missing.push({ size, orphans });
    this.cancelRecovery();
  }

  private countFailure(why: string, wasReady: boolean): void {
    const before = this.backoff;
    this.backoff = afterFailure(before, now(), wasReady);
    const delay = this.backoff.notBefore - now();
    if (this.backoff === before || delay <= 0) return;
    const { pool, emit } = this.context;
    emit({
      type: "backing-off",
      pool: pool.name,
      failures: this.backoff.failures,
      delayMs: delay,
      why,
    });
  }

  /** Starts what is missing, now or when the wait is over. */
  private refill(): void {
    if (this.cancelRefill !== null) return;
    const wait = this.backoff.notBefore - now();
    if (wait > 0) {
      this.cancelRefill = after(wait, () => {
        this.cancelRefill = null;
        this.refill();
      });
      return;
    }
    for (const { size, orphans } of this.missing.splice(0)) void this.replace(size, orphans);
  }

  private async replace(size: number, orphans: Group | null): Promise<void> {
    try {
      await this.check();
      if (this.duty !== "responsible") return;
      await this.spawn(size).ready;
      void orphans?.drain();
      this.watchRecovery();
    } catch (error) {
      if (this.duty !== "responsible") return;
      this.want(size, orphans);
      this.countFailure(reasonText(error), false);
      this.refill();
    }
  }

  private watchRecovery(): void {
    if (this.backoff.failures === 0 || this.missing.length > 0) return;
    this.cancelRecovery();
    this.cancelRecovery = after(RECOVERED_MS, () => {
      const { pool, emit } = this.context;
      emit({ type: "pool-recovered", pool: pool.name, failures: this.backoff.failures });
      this.backoff = NO_BACKOFF;
    });
  }
}

/** So that workers that started together do not all recycle together. */
function withJitter(pool: PoolConfig): number {
  if (pool.maxRequests === 0) return 0;
  return pool.maxRequests + Math.floor(Math.random() * (pool.maxRequestsJitter + 1));
}

function reasonText(error: unknown): string {
  const { message, cause } = asFault(error);
  return cause instanceof Error && cause.message !== message
    ? `${message} (${cause.message})`
    : message;
}
