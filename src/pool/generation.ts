// A Generation is what runs of one version of a pool's config. It has a target, the number of workers
// that are wanted, and a role, which says how it gets there and what a failure means. What there is
// are its groups; the steps from the one to the other are convergence.ts's.

import type { PoolConfig } from "../config/model.ts";
import type { Emit, OutputLine } from "../event.ts";
import { asFault } from "../fault.ts";
import { ended } from "../log/words.ts";
import type { Scoreboard } from "../observe/scoreboard.ts";
import { groupSizeOf } from "../runtime/registry.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Listener } from "../socket/listener.ts";
import { now } from "../sys/clock.ts";
import type { ProcessId } from "../sys/proc/procfs.ts";
import type { Group } from "../worker/group.ts";
import type { Guardian } from "../worker/guardian.ts";
import type { Losses } from "../worker/losses.ts";
import { alone, extraWorkers, firstBatch, inPlaceOf } from "./bounds.ts";
import { Convergence, type Goal } from "./convergence.ts";
import { Failures } from "./failures.ts";
import { Groups } from "./groups.ts";
import { withLateTogether } from "./late-workers.ts";
import { limitsOf, pausedLimits, type ScalingLimits } from "./scaling.ts";

export interface GenerationContext {
  readonly pool: PoolConfig;
  readonly runtime: Runtime;
  readonly number: number;
  readonly listener: Listener;
  readonly scoreboard: Scoreboard;
  /** Where settings files are written. */
  readonly stateDir: string;
  readonly guardian: Guardian;
  readonly emit: Emit;
  readonly output: (line: OutputLine) => void;
}

type Outcome = Pick<PromiseWithResolvers<void>, "resolve" | "reject">;

type Role =
  /** Coming up; the first failure or loss ends it. */
  | { readonly is: "starting"; readonly outcome: Outcome }
  /** Taking the place of another, group by group; the first start that fails ends it. */
  | { readonly is: "replacing"; readonly old: Generation; readonly outcome: Outcome }
  /** Keeps up what is wanted, however often that fails. */
  | { readonly is: "responsible" }
  /** Starts nothing: not yet, or not any more. `by`: who says when each of its groups goes. */
  | { readonly is: "passive"; readonly by: Generation | null };

export class Generation {
  readonly context: GenerationContext;
  readonly startedAt = now();
  /** Null: all are active at all times. */
  private following: ScalingLimits | null;
  /** Nobody takes a request, until it is resumed. */
  private paused = false;
  /** They cannot follow it, because what they do cannot be seen. */
  isBlind = false;
  private readonly groups: Groups;
  private readonly failed: Failures;
  private wanted: number;
  private role: Role = { is: "passive", by: null };
  private readonly convergence: Convergence;

  constructor(context: GenerationContext) {
    this.context = context;
    this.wanted = this.full;
    this.following = limitsOf(context.pool);
    const failures = new Failures(context.pool.name, context.emit);
    const groups = new Groups({
      ...context,
      emit: withLateTogether(context.emit),
      generation: context.number,
      wanted: () => this.role.is !== "passive",
      onReady: () => this.turn(),
      onUnproven: (group, error) => this.onUnproven(group, error),
      onStartFailed: (error) => this.onStartFailed(error),
      onLost: (group) => this.onLost(group),
      onForkStorm: (group) => this.endStorm(group),
      onGone: () => this.turn(),
    });
    const goal = () => this.goal();
    this.convergence = new Convergence({ groups, failures, goal, onDone: () => this.onDone() });
    [this.groups, this.failed] = [groups, failures];
  }

  get all(): readonly Group[] {
    return this.groups.all;
  }
  /** Failures in a row. */
  get failures(): number {
    return this.failed.count;
  }
  /** Of what has left so far. */
  get losses(): Losses {
    return this.groups.losses;
  }
  /** Workers there should be. One that is passive keeps the number, for those who replace it. */
  get target(): number {
    return this.wanted;
  }
  set target(workers: number) {
    this.wanted = workers;
    this.turn();
  }
  /** Whether it wants all the workers of its config, and not just the first of them. */
  get wantsAll(): boolean {
    return this.wanted === this.full;
  }

  /** Between which its active workers follow the load; null: all are active at all times. */
  get limits(): ScalingLimits | null {
    return this.paused ? pausedLimits(this.full) : this.following;
  }
  get isPaused(): boolean {
    return this.paused;
  }

  // ---------------------------------------------------------------- what is asked of it

  /** From here on its active workers follow the load between these; more processes are started where that takes more. */
  scale(limits: ScalingLimits | null): void {
    this.following = limits;
    if (!this.isResting) this.target = this.needed;
    this.wakeAllIfStatic();
  }

  /** Workers finish their requests and are parked. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.wakeAllIfStatic();
  }

  private wakeAllIfStatic(): void {
    if (this.limits === null) for (const { parked } of this.all) parked.wake(parked.count);
  }

  /**
   * Comes up; beside a generation that serves with as many workers as the pool's bound allows.
   * Resolves when each of them has reached accept(2). Rejects with the first failure's Fault, or
   * with `signal`'s reason; then nothing of the generation is left.
   */
  async start(signal: AbortSignal, beside: Generation | null): Promise<void> {
    const { pool, number: generation, emit } = this.context;
    const want = { target: this.full, groupSize: this.groupSize };
    const first = beside === null ? this.full : firstBatch(beside.target, want, this.extra);
    try {
      await this.reach(first, signal, (outcome) => ({ is: "starting", outcome }));
    } catch (error) {
      const fault = asFault(error);
      // One that was cancelled has nothing to tell: another one failed, or a stop came.
      if (!signal.aborted)
        emit({ type: "generation-failed", pool: pool.name, generation, fault: fault.toJSON() });
      await this.stop();
      throw fault;
    }
  }

  /**
   * Takes the place of `old` step by step. Resolves when none of its groups serves and every one of
   * this generation does. Rejects with the Fault of a group that does not come up, or with
   * `signal`'s reason; both generations are then as they are, and this one starts nothing more.
   */
  async replace(old: Generation, signal: AbortSignal): Promise<void> {
    await this.reach(this.full, signal, (outcome) => ({ is: "replacing", old, outcome }));
  }

  /**
   * Goes on trying although it did not come up: for when nothing else serves. `check` is asked
   * before each start; what it throws counts as a failure.
   */
  keepTrying(check: () => Promise<void> = this.groups.check): void {
    this.groups.check = check;
    this.role = { is: "responsible" };
    this.failed.notStarted("it did not come up");
    this.target = this.full;
  }

  /** Leaves it to `next` when each of its groups goes. What has not come up yet goes at once. */
  yieldTo(next: Generation): void {
    this.becomePassive(next);
    for (const group of this.groups.inState("starting")) void group.drain();
  }

  /** Ends a group whose leader forks without end; another one starts when the wait is over. */
  endStorm(group: Group): void {
    const { pool, emit } = this.context;
    emit({ type: "fork-storm", pool: pool.name, leader: group.leader.pid });
    this.failed.notStarted("its leader forked workers that did not live");
    void group.drain();
    this.turn();
  }

  /** Has a worker replaced that has lived or grown enough; one that its leader does not replace, at once. */
  recycle(group: Group, worker: ProcessId): void {
    group.recycle(worker);
    this.turn();
  }

  /** No worker is wanted until somebody connects. */
  get isResting(): boolean {
    return this.role.is === "responsible" && this.wanted === 0;
  }

  /** Lets every worker leave that it is responsible for, and starts none. */
  rest(): void {
    if (this.role.is === "responsible") this.target = 0;
  }

  /** All its workers are wanted again. */
  rouse(): void {
    if (this.isResting) this.target = this.needed;
  }

  /** Replaces every worker by a new one, because it waits on a socket that nobody reaches any more. */
  renew(): void {
    for (const group of this.groups.inState("starting", "serving", "orphaned")) void group.drain();
    this.turn();
  }

  /** Lets every worker finish its request and leave. */
  async drain(): Promise<void> {
    const { pool, number: generation, emit } = this.context;
    const since = now();
    this.becomePassive(null);
    emit({ type: "drain-started", pool: pool.name, generation, workers: this.wanted });
    await Promise.all(this.all.map((group) => group.drain()));
    emit({ type: "drain-finished", pool: pool.name, generation, ms: now() - since });
  }

  /** TERM to every worker, KILL a second later. */
  async stop(): Promise<void> {
    this.becomePassive(null);
    await Promise.all(this.all.map((group) => group.stop()));
  }

  // ---------------------------------------------------------------- what happens

  private turn(): void {
    const { role } = this;
    if (role.is === "passive") role.by?.turn();
    else this.convergence.turn();
  }

  private goal(): Goal | null {
    const { role, wanted, groupSize, extra } = this;
    const want = { target: wanted, groupSize };
    if (role.is === "passive") return null;
    if (role.is !== "replacing") return { want, limits: alone(wanted, extra), before: null };
    const { old } = role;
    return { want, limits: inPlaceOf(old.wanted, wanted, extra), before: old.groups };
  }

  /** Workers of its config. */
  private get full(): number {
    return this.context.pool.workers;
  }

  /** Workers that there must be for the limits in force. */
  private get needed(): number {
    return Math.max(this.full, this.following?.most ?? 0);
  }

  private get extra(): number {
    return extraWorkers(this.context.pool.reload.maxExtra, this.full);
  }

  private get groupSize(): number {
    return groupSizeOf(this.context.pool, this.context.runtime);
  }

  private onStartFailed(error: unknown): void {
    if (this.role.is !== "responsible") return this.giveUp(error);
    this.failed.notStarted(error);
    this.turn();
  }

  private onUnproven(group: Group, error: unknown): void {
    if (this.failed.mayHaveServed(group, this.role.is === "responsible")) return this.turn();
    this.onStartFailed(error);
  }

  private onLost(group: Group): void {
    const { end } = group.ended!;
    if (this.role.is === "starting" && !this.isUsual(group))
      return this.giveUp(asFault(ended(end)));
    if (this.role.is === "replacing" || this.role.is === "responsible")
      this.failed.lost(group, this.role.is === "responsible");
    this.turn();
  }

  /** Its end is no reason to give up a start. */
  private isUsual(group: Group): boolean {
    const { reason } = group.ended!;
    if (reason === "unproven") return this.failed.mayHaveServed(group, false);
    if (reason === "recycled" && group.wasReady === "seen") this.failed.hasServed();
    return reason === "recycled";
  }

  // ---------------------------------------------------------------- roles

  private async reach(
    target: number,
    signal: AbortSignal,
    role: (outcome: Outcome) => Role,
  ): Promise<void> {
    const { promise, ...outcome } = Promise.withResolvers<void>();
    const onAbort = () => this.giveUp(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.role = role(outcome);
    this.groups.forgetRecycled();
    if (signal.aborted) onAbort();
    this.target = target;
    await promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  private onDone(): void {
    const { role } = this;
    if (role.is !== "starting" && role.is !== "replacing") return;
    const { pool, number: generation, emit } = this.context;
    this.role = { is: "responsible" };
    const event = { pool: pool.name, generation, workers: this.wanted, ms: now() - this.startedAt };
    if (this.wantsAll) emit({ type: "generation-ready", ...event });
    role.outcome.resolve();
  }

  private giveUp(reason: unknown): void {
    const { role } = this;
    if (role.is !== "starting" && role.is !== "replacing") return;
    this.becomePassive(null);
    role.outcome.reject(reason);
  }

  private becomePassive(by: Generation | null): void {
    this.role = { is: "passive", by };
    this.convergence.rest();
  }
}
