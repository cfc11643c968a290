// The groups of one generation: starts one when told to, counts what there is, and says what becomes
// of each. Whether one should be started or should leave is the generation's business.

import type { PoolConfig } from "../config/model.ts";
import { forksFor } from "../runtime/registry.ts";
import { type GroupContext, Group } from "../worker/group.ts";
import { type Losses, NO_LOSSES, sumOf } from "../worker/losses.ts";
import { type Have, workersOf } from "./steps.ts";

export interface GroupsContext extends Omit<GroupContext, "onLost"> {
  /** Whether there is still a reason to start one. */
  readonly wanted: () => boolean;
  readonly onReady: () => void;
  readonly onStartFailed: (error: unknown) => void;
  /** It ended well, and may have served before anybody could see it. */
  readonly onUnproven: (group: Group, error: unknown) => void;
  readonly onLost: (group: Group) => void;
  readonly onGone: () => void;
}

const LEAVING: readonly Group["state"][] = ["draining", "terminating", "killing"];

export class Groups {
  private readonly context: GroupsContext;
  private readonly groups = new Set<Group>();
  /** Those that start in place of recycled ones. */
  private readonly again = new WeakSet<Group>();
  /** Workers that were recycled and are not started again yet. */
  private recycled = 0;
  /** Workers whose start waits for the answer of `check`. */
  private checking = 0;
  private lost: Losses = NO_LOSSES;
  /** Asked before each start; what it throws counts as a failed start. */
  check: () => Promise<void> = async () => {};

  constructor(context: GroupsContext) {
    this.context = context;
  }

  get all(): readonly Group[] {
    return [...this.groups];
  }
  /** Of what has left so far. */
  get losses(): Losses {
    return this.lost;
  }

  inState(...states: readonly Group["state"][]): Group[] {
    return this.all.filter(({ state }) => states.includes(state));
  }

  /** What there is of them, and of those whose place they take. */
  have(before: Groups | null): Have<Group> {
    const starting = this.inState("starting");
    return {
      serving: this.inState("serving"),
      outgoing: [...this.inState("orphaned"), ...(before?.inState("serving", "orphaned") ?? [])],
      starting: workersOf(starting) + this.checking,
      returning: workersOf(starting.filter((group) => this.again.has(group))) + this.recycled,
      leaving: workersOf([...this.inState(...LEAVING), ...(before?.inState(...LEAVING) ?? [])]),
    };
  }

  /** From here on, one that was recycled is missing like any other. */
  forgetRecycled(): void {
    this.recycled = 0;
  }

  async start(size: number): Promise<void> {
    const { onReady, onStartFailed, onUnproven } = this.context;
    let group: Group | null = null;
    try {
      group = await this.spawnWhenChecked(size);
      if (group === null) return;
      await group.ready;
    } catch (error) {
      if (group?.ended?.reason === "unproven") return onUnproven(group, error);
      return onStartFailed(error);
    }
    onReady();
  }

  /** null: it is no longer wanted. It counts as starting until it is there, or whoever looks would start another. */
  private async spawnWhenChecked(size: number): Promise<Group | null> {
    this.checking += size;
    try {
      await this.check();
      return this.context.wanted() ? this.spawn(size) : null;
    } finally {
      this.checking -= size;
    }
  }

  private spawn(size: number): Group {
    const { pool, runtime } = this.context;
    const onLost = (group: Group) => this.onLost(group);
    const number = forksFor(size, runtime) ? null : this.freeNumber();
    const shape = { size, maxRequests: withJitter(pool), number };
    const group = new Group({ ...this.context, onLost }, shape);
    this.groups.add(group);
    if (this.recycled >= size) {
      this.recycled -= size;
      this.again.add(group);
    }
    void group.gone.then(() => this.onGone(group));
    return group;
  }

  /** The least that no process of this generation has. */
  private freeNumber(): number {
    const living = this.all.filter(({ ended }) => ended === null);
    const taken = new Set(living.map(({ shape }) => shape.number));
    let number = 0;
    while (taken.has(number)) number++;
    return number;
  }

  private onLost(group: Group): void {
    if (group.ended!.reason === "recycled") this.recycled += group.size;
    this.context.onLost(group);
  }

  private onGone(group: Group): void {
    this.groups.delete(group);
    this.lost = sumOf([this.lost, group.losses]);
    this.context.onGone();
  }
}

/** It leaves soonest. */
export function leastBusy(groups: readonly Group[]): Group {
  const sample = groups[0]!.context.scoreboard.now();
  const [first, ...others] = groups.map((group) => ({ group, busy: sample.busy(group.members) }));
  return others.reduce((least, next) => (next.busy < least.busy ? next : least), first!).group;
}

/** So that workers that started together do not all recycle together. */
function withJitter(pool: PoolConfig): number {
  if (pool.maxRequests === 0) return 0;
  return pool.maxRequests + Math.floor(Math.random() * (pool.maxRequestsJitter + 1));
}
