// Which processes are the workers of a group. A leader forks them in its own process group; scripts
// may start programs there too, but those have another name or another parent.

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
} from "../sys/procfs.ts";

export interface MembersContext {
  /** The process that was spawned. */
  readonly leader: ProcessId;
  /** Whether its children are the workers, instead of itself. */
  readonly forks: boolean;
  /** Whether its end has not been told yet. */
  readonly leaderLives: () => boolean;
  readonly listener: Listening;
  readonly requestOf: ((pid: number) => RequestRecord) | undefined;
}

export class Members implements WorkerSet {
  readonly listener: Listening;
  readonly requestOf?: (pid: number) => RequestRecord;
  private readonly context: MembersContext;
  private readonly since = now();
  /** The leader's. It is known for certain only while it lives: the shim has another one. */
  private name: string;
  /** What a dead leader has left; it forks no more. */
  private orphans: readonly ProcessStat[] | null = null;

  constructor(context: MembersContext) {
    this.context = context;
    this.listener = context.listener;
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
    if (leader === null) return { leader, workers: forks ? this.orphansLeft() : [] };
    if (!forks) return { leader: null, workers: [leader] };
    this.orphans = null;
    this.name = leader.command;
    return { leader, workers: this.childrenOf(leader) };
  }

  private livingLeader(): ProcessStat | null {
    const stat = this.context.leaderLives() ? processStat(this.context.leader.pid) : null;
    return stat === null || stat.state === "Z" ? null : stat;
  }

  private childrenOf({ pid }: ProcessStat): ProcessStat[] {
    const children = childrenOf(pid);
    const relatives =
      children === null
        ? processGroup(pid, this.since)
        : children.map(processStat).filter((stat) => stat !== null);
    return this.workersAmong(relatives, pid);
  }

  private orphansLeft(): readonly ProcessStat[] {
    this.orphans ??= this.workersAmong(this.groupWithoutLeader(), process.pid);
    this.orphans = this.orphans.map(stillThere).filter((stat) => stat !== null);
    return this.orphans;
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
        stat.group === pid &&
        stat.command === this.name &&
        stat.state !== "Z",
    );
  }
}
