// Which processes are the workers of a group. A leader forks them, in its own process group, which a script may have its
// worker leave; scripts start programs too, but those have another name or another parent. What is left of a dead leader
// is a worker only if it was seen as its child before: a script can give any name to a program.

import type { Listening } from "../observe/activity.ts";
import type { RequestRecord } from "../observe/request.ts";
import type { Present, WorkerSet } from "../observe/sample.ts";
import { now } from "../sys/clock.ts";
import {
  childrenOf,
  type ProcessId,
  processGroup,
  type ProcessStat,
  processStat,
  stillThere,
} from "../sys/proc/procfs.ts";

export interface MembersContext {
  /** The process that was spawned. */
  readonly leader: ProcessId;
  /** Whether its children are the workers, instead of itself. */
  readonly forks: boolean;
  /** Whether its end has not been told yet. */
  readonly leaderLives: () => boolean;
  readonly listener: Listening;
  readonly requestOf: ((pid: number) => RequestRecord) | undefined;
  readonly isParked: (worker: ProcessId) => boolean;
}

export class Members implements WorkerSet {
  readonly listener: Listening;
  readonly requestOf?: (pid: number) => RequestRecord;
  readonly isParked: (worker: ProcessId) => boolean;
  private readonly context: MembersContext;
  private readonly since = now();
  /** The leader's. It is known for certain only while it lives: the shim has another one. */
  private name: string;
  /** The workers of the last look, and those of earlier ones that are there still. */
  private known: readonly ProcessStat[] = [];

  constructor(context: MembersContext) {
    this.context = context;
    this.listener = context.listener;
    this.isParked = context.isParked;
    if (context.requestOf !== undefined) this.requestOf = context.requestOf;
    this.name = processStat(context.leader.pid)?.command ?? "";
  }

  /** The living workers. */
  workers(): readonly ProcessStat[] {
    return this.present().workers;
  }

  present(): Present {
    const { forks } = this.context;
    const leader = this.livingLeader();
    if (leader === null) return { leader, workers: forks ? this.orphans() : [] };
    if (!forks) return { leader: null, workers: [leader] };
    this.name = leader.command;
    const children = this.childrenOf(leader);
    this.known = [...children, ...this.handedOn(children)];
    return { leader, workers: this.known };
  }

  /** Workers seen before that are ours by now: a leader that dies loses its children a moment before it is dead. */
  private handedOn(children: readonly ProcessStat[]): ProcessStat[] {
    const still = new Set(children.map(({ pid }) => pid));
    return this.known
      .filter(({ pid }) => !still.has(pid))
      .map(stillThere)
      .filter((stat) => stat !== null)
      .filter(({ parent }) => parent === process.pid);
  }

  /**
   * What looks like a worker of the dead leader, but was never seen as its child: one forked in the last
   * moment, or what a script would have pass for one.
   */
  unknown(): readonly ProcessStat[] {
    const known = new Set(this.orphans().map(({ pid }) => pid));
    const { pid: leader } = this.context.leader;
    const alike = this.workersAmong(this.groupWithoutLeader(), process.pid).filter(
      ({ group }) => group === leader,
    );
    return alike.filter(({ pid }) => !known.has(pid));
  }

  private livingLeader(): ProcessStat | null {
    const stat = this.context.leaderLives() ? processStat(this.context.leader.pid) : null;
    return stat === null || stat.state === "Z" ? null : stat;
  }

  /** Those of the last look that have left the process group, as far as they are still there. */
  outsideGroup(): readonly ProcessStat[] {
    return this.orphans().filter(({ group }) => group !== this.context.leader.pid);
  }

  /** Whether one of the last look is still in the process group: then its number is nobody else's. */
  get holdGroup(): boolean {
    return this.orphans().some(({ group }) => group === this.context.leader.pid);
  }

  private childrenOf({ pid }: ProcessStat): ProcessStat[] {
    const children = childrenOf(pid)?.map(processStat) ?? processGroup(pid, this.since);
    return this.workersAmong(
      children.filter((stat) => stat !== null),
      pid,
    );
  }

  private orphans(): readonly ProcessStat[] {
    this.known = this.known.map(stillThere).filter((stat) => stat !== null);
    return this.known;
  }

  /** As it was after the death of the leader, when its children had become ours (as their subreaper). */
  private groupWithoutLeader(): readonly ProcessStat[] {
    const { pid } = this.context.leader;
    const group = processGroup(pid, this.since);
    const isOld = group.some((stat) => stat.pid === pid && stat.state !== "Z");
    return isOld ? processGroup(pid, now()) : group;
  }

  private workersAmong(relatives: readonly ProcessStat[], parent: number): ProcessStat[] {
    const { pid } = this.context.leader;
    return relatives.filter(
      (stat) =>
        stat.pid !== pid &&
        stat.parent === parent &&
        stat.command === this.name &&
        stat.state !== "Z",
    );
  }
}
