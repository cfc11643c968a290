// Has the number of active workers of one pool follow its load: looks, lets scaling.ts decide, and carries
// it out on the groups of the generation that is responsible. Who is parked, each group knows itself.

import type { Sample, WorkerView } from "../observe/sample.ts";
import type { Group } from "../worker/group.ts";
import type { Claim } from "./budget.ts";
import type { Generation } from "./generation.ts";
import type { Pool } from "./pool.ts";
import { Quiet } from "./quiet.ts";
import {
  parkedAtStart,
  type ScalingLimits,
  type ScalingSnapshot,
  scalingStep,
  startOf,
  type Surplus,
} from "./scaling.ts";

/** No look comes later than that. */
const SOON_MS = 5000;

interface Seen extends ScalingSnapshot {
  readonly workers: readonly { readonly group: Group; readonly view: WorkerView }[];
}

export class PoolScaler {
  private readonly pool: Pool;
  /** Whose workers the rest of this is about. */
  private generation: Generation | null = null;
  private surplus: Surplus | null = null;
  /** All its workers have come up, and those not needed then are parked. */
  private isSettled = false;
  /** What its workers do cannot be seen, so that none of them can be parked. */
  private isBlind = false;
  /** Workers that could not be seen at the last look. */
  private unseen: ReadonlySet<number> = new Set();
  private readonly quiet = new Quiet();
  /** How many were to be active at the last look. */
  private wanted = 0;
  /** At the last look, for the generation that comes next. */
  private active = 0;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** Whether more of its workers could be active than are. */
  get canGrow(): boolean {
    const { limits } = this.pool.current;
    return limits !== null && this.parked > 0 && this.activeNow < limits.most;
  }

  /** Whether something is about to change without a connection that comes. */
  get isMoving(): boolean {
    const { limits } = this.pool.current;
    if (limits === null || this.isBlind) return false;
    const isNew = this.generation !== this.pool.current || !this.isSettled || this.unseen.size > 0;
    return isNew || this.surplus !== null || this.activeNow > limits.most || this.restsSoon(limits);
  }

  /** There is no worker, and the next connection is to start the pool. */
  get isResting(): boolean {
    const { current } = this.pool;
    return current.isResting && !current.isPaused;
  }

  /** Somebody has connected. */
  rouse(): void {
    const { name: pool, current } = this.pool;
    this.quiet.end();
    [this.isSettled, this.active] = [false, 0];
    current.rouse();
    current.context.emit({ type: "pool-roused", pool });
  }

  /** Workers that a look has to look at. */
  get cost(): number {
    return this.groups.reduce((sum, { size }) => sum + size, 0);
  }

  /** What it has and wants beside other pools, as of its last look; null: all its workers are always active. */
  get claim(): Claim | null {
    const { limits } = this.pool.current;
    if (limits === null || this.isBlind) return null;
    const { least, most } = limits;
    const active = this.activeNow;
    return { least, active, wanted: Math.min(most, Math.max(least, this.wanted)) };
  }

  /** So many of its workers are active at all times. */
  get fixed(): number {
    const { limits, target } = this.pool.current;
    return limits === null || this.isBlind ? target : 0;
  }

  /** `allowed` says how many it may have beside other pools. Returns whether it has woken somebody. */
  look(sample: Sample, allowed: () => number): boolean {
    const { current } = this.pool;
    if (this.generation !== current) this.begin(current);
    const { limits } = current;
    if (limits === null || this.isBlind || this.groups.length === 0) return false;
    const seen = this.lookAround(sample);
    if (this.isUnseen(seen)) return this.giveUp();
    this.wanted = seen.active - seen.idle + seen.queue + limits.minSpare;
    const most = Math.min(limits.most, allowed());
    if (!this.isSettled) return this.settle(seen, { ...limits, most });
    const { wake, park, surplus } = scalingStep(seen, { ...limits, most }, this.surplus);
    this.surplus = surplus;
    this.active = seen.active + wake - park;
    this.wake(wake, seen.queue);
    this.park(park, seen);
    this.restIfQuiet(seen, limits);
    return wake > 0;
  }

  /** Whether a worker could not be seen twice in a row: once, one cannot that just ends. */
  private isUnseen({ workers }: Seen): boolean {
    const unseen = workers.filter(({ view }) => view.activity.doing === "unknown");
    const pids = new Set(unseen.map(({ view }) => view.pid));
    const again = [...pids].some((pid) => this.unseen.has(pid));
    this.unseen = pids;
    return again;
  }

  private begin(generation: Generation): void {
    this.generation = generation;
    [this.surplus, this.isSettled, this.isBlind] = [null, false, false];
    this.quiet.end();
  }

  /** The first look at all workers of a generation: no fewer go on than were active of the one before. */
  private settle(seen: Seen, limits: ScalingLimits): false {
    const { context, target } = this.pool.current;
    if (seen.workers.length < target) return false;
    const start = Math.max(startOf(context.pool, limits), this.active);
    const park = parkedAtStart(seen, limits, start);
    this.isSettled = true;
    this.active = seen.active - park;
    this.park(park, seen);
    return false;
  }

  private restIfQuiet({ workers, active, idle, queue, time }: Seen, limits: ScalingLimits): void {
    const last = workers.find(({ view }) => view.activity.doing !== "parked");
    const isQuiet = active === 1 && idle === 1 && queue === 0;
    const quietMs = this.quiet.look(isQuiet ? last!.view : null, time);
    if (!isQuiet || limits.restTimeoutMs === null || quietMs < limits.restTimeoutMs) return;
    const { name: pool, current } = this.pool;
    this.quiet.end();
    current.rest();
    current.context.emit({ type: "pool-rests", pool });
  }

  private restsSoon({ restTimeoutMs }: ScalingLimits): boolean {
    return restTimeoutMs !== null && this.quiet.willLast(restTimeoutMs, SOON_MS);
  }

  private lookAround(sample: Sample): Seen {
    for (const group of this.groups) keepParked(group, sample);
    const workers = this.groups.flatMap((group) =>
      sample.workers(group.members).map((view) => ({ group, view })),
    );
    const active = workers.filter(({ view }) => view.activity.doing !== "parked");
    const free = active.filter(({ group, view }) => isFree(view, group));
    return {
      ...{ workers, active: active.length, idle: free.length },
      parked: workers.length - active.length,
      time: sample.takenAt,
      queue: this.pool.listener.queue()?.length ?? 0,
    };
  }

  private wake(count: number, waiting: number): void {
    let left = count;
    const latest = this.groups.toSorted((a, b) => b.parked.lastAt - a.parked.lastAt);
    for (const { parked } of latest) left -= parked.wake(left);
    const woken = count - left;
    if (woken <= 0) return;
    const { name: pool, current } = this.pool;
    const event = { pool, workers: woken, active: this.activeNow, waiting };
    current.context.emit({ type: "workers-woken", ...event });
  }

  /** Those idle longest. */
  private park(count: number, { workers }: Seen): void {
    if (count <= 0) return;
    const idle = workers.filter(({ view }) => view.activity.doing === "idle");
    const chosen = idle.toSorted((a, b) => a.view.since - b.view.since).slice(0, count);
    for (const [group, some] of Map.groupBy(chosen, ({ group }) => group))
      void this.parkOf(
        group,
        some.map(({ view }) => view),
      );
  }

  private async parkOf(group: Group, workers: readonly WorkerView[]): Promise<void> {
    const before = group.parked.count;
    if (!(await group.parked.park(workers))) return void this.giveUp();
    const parked = group.parked.count - before;
    if (parked <= 0) return;
    const { name: pool, current } = this.pool;
    const event = { pool, workers: parked, active: this.activeNow };
    current.context.emit({ type: "workers-parked", ...event });
  }

  /** From here on all its workers are active at all times. */
  private giveUp(): false {
    if (this.isBlind) return false;
    this.isBlind = true;
    for (const { parked } of this.groups) parked.wake(parked.count);
    const { name: pool, current, config } = this.pool;
    current.isBlind = true;
    current.context.emit({ type: "scaling-impossible", pool, scaling: config.scaling });
    return false;
  }

  private get groups(): readonly Group[] {
    const { all } = this.pool.current;
    return all.filter(({ state }) => state === "serving" || state === "orphaned");
  }
  private get parked(): number {
    return this.groups.reduce((sum, { parked }) => sum + parked.count, 0);
  }
  private get activeNow(): number {
    return this.cost - this.parked;
  }
}

/**
 * Whether it takes the next connection at once: it waits for one, or has none and is about to run, as one
 * does that has just been given a connection that still counts as waiting. Without a connection it may also
 * be in a request that it has answered; its own record says so, where there is one.
 */
function isFree({ pid, state, activity }: WorkerView, { members }: Group): boolean {
  if (activity.doing !== "working") return activity.doing === "idle";
  const record = members.requestOf?.(pid) ?? null;
  return record === "none" || (record === null && state === "R");
}

/** Some may have ended, or been continued by somebody else. */
function keepParked({ members, parked }: Group, sample: Sample): void {
  if (parked.count === 0) return;
  const seen = sample.workers(members).filter(({ activity }) => activity.doing === "parked");
  const still = new Set(seen.map(({ pid }) => pid));
  parked.keep(({ pid }) => still.has(pid));
}
