// A Generation owns the groups started from one version of a pool's config. It comes up as a whole
// or not at all; while it is responsible it refills what it loses; at its end it drains.

import type { PoolConfig } from "../config/model.ts";
import type { Emit, OutputLine } from "../event.ts";
import { asFault } from "../fault.ts";
import type { Listener } from "../socket/listener.ts";
import { ended } from "../log/words.ts";
import { now } from "../sys/clock.ts";
import { groupSizes } from "../runtime/registry.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { Group } from "../worker/group.ts";
import { sumOf, type Toll } from "../worker/toll.ts";
import { Losses } from "./losses.ts";

export interface GenerationContext {
  readonly pool: PoolConfig;
  readonly runtime: Runtime;
  readonly number: number;
  readonly listener: Listener;
  readonly emit: Emit;
  readonly output: (line: OutputLine) => void;
}

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
  private readonly losses: Losses;
  private cost: Toll = sumOf([]);
  private readonly unstarted: number[];
  private readonly released: number[] = [];
  private readonly failed = Promise.withResolvers<never>();

  constructor(context: GenerationContext) {
    this.context = context;
    this.unstarted = groupSizes(context.pool, context.runtime);
    this.failed.promise.catch(() => {});
    const { pool, emit } = context;
    this.losses = new Losses(pool.name, emit, (size) => this.spawn(size));
  }

  get all(): readonly Group[] {
    return [...this.groups];
  }

  get failures(): number {
    return this.losses.failures;
  }

  /** Of what has left so far. */
  get toll(): Toll {
    return this.cost;
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
    this.losses.want(group.shape.size, null);
    this.losses.countFailure("its leader forked workers that did not live", false);
    void group.drain();
    this.losses.refill();
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
    for (const size of this.unstarted.splice(0)) this.losses.want(size, null);
    this.losses.refill();
  }

  /**
   * Takes duty although it did not come up, and goes on trying: for when nothing else serves.
   * Call after a failed start. `check` is asked before each try; what it throws counts as a failure.
   */
  insist(check: () => Promise<void>): void {
    this.losses.checkFirst(check);
    this.duty = "responsible";
    const { pool, runtime } = this.context;
    this.unstarted.length = 0;
    for (const size of groupSizes(pool, runtime)) this.losses.want(size, null);
    this.losses.countFailure("it did not come up", false);
    this.losses.refill();
  }

  /** From here on, what is lost is refilled. */
  takeDuty(): void {
    this.duty = "responsible";
    this.losses.refill();
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
    this.losses.end();
  }

  private spawn(size: number): Group {
    const { pool, runtime, number: generation, listener, emit, output } = this.context;
    const group = new Group(
      { pool, runtime, generation, listener, emit, output, onLost: (lost) => this.onLost(lost) },
      { size, maxRequests: withJitter(pool) },
    );
    this.groups.add(group);
    void group.gone.then(() => this.bury(group));
    return group;
  }

  private bury(group: Group): void {
    this.groups.delete(group);
    this.cost = sumOf([this.cost, group.toll]);
  }

  // ---------------------------------------------------------------- refilling

  private onLost(group: Group): void {
    if (this.duty === "starting" && group.ended!.reason === "recycled") {
      this.losses.want(group.shape.size, null);
      return;
    }
    if (this.duty === "starting") {
      this.failed.reject(asFault(group.ended === null ? "a worker ended" : ended(group.ended.end)));
    }
    if (this.duty !== "responsible") return;
    const orphans = group.state === "gone" ? null : group;
    this.losses.want(group.shape.size, orphans);
    this.losses.judge(group);
    this.losses.refill();
  }
}

/** So that workers that started together do not all recycle together. */
function withJitter(pool: PoolConfig): number {
  if (pool.maxRequests === 0) return 0;
  return pool.maxRequests + Math.floor(Math.random() * (pool.maxRequestsJitter + 1));
}
