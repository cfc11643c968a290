// The workers that a leader forks and refills by itself: which of them are gone since the last look,
// and whether the leader forks and forks although none of its workers lives to serve (fork-storm.ts).

import type { Reader } from "../observe/scoreboard.ts";
import type { Sample, WorkerView } from "../observe/sample.ts";
import { bytesRead, hasWaited, processStat, type ProcessStat } from "../sys/proc/procfs.ts";
import type { Group } from "../worker/group.ts";
import { judgeForks } from "./fork-storm.ts";
import type { Generation } from "./generation.ts";
import type { Pool } from "./pool.ts";

/** What a look has found. */
interface Found {
  readonly pids: ReadonlySet<number>;
  readonly pageFaults: number;
  readonly bytesRead: number | null;
}

interface Seen {
  readonly last: Found;
  /** Where the count of forks began. */
  readonly beginning: Found;
  /** Looks since then that found that something had happened. */
  readonly looks: number;
}

/** Looks at the groups that fork. */
export class MemberWatch implements Reader {
  readonly everyMs = 1000;
  private readonly pools: () => readonly Pool[];
  private readonly seen = new WeakMap<Group, Seen>();

  constructor(pools: () => readonly Pool[]) {
    this.pools = pools;
  }

  look(sample: Sample): void {
    for (const generation of this.pools().map(({ current }) => current))
      for (const group of generation.all)
        if (group.forks && group.state === "serving") this.lookAt(generation, group, sample);
  }

  private lookAt(generation: Generation, group: Group, sample: Sample): void {
    const before = this.seen.get(group);
    const leader = processStat(group.leader.pid);
    // Whoever is forked costs the leader page faults, so while it has no more all its workers are there.
    if (leader === null || leader.pageFaults === before?.last.pageFaults) return;
    const found = find(group, leader, sample);
    if (before === undefined) {
      for (const pid of group.firstWorkers) if (!found.pids.has(pid)) tell(group, pid);
      this.seen.set(group, { last: found, beginning: found, looks: 0 });
      return;
    }
    for (const pid of before.last.pids) if (!found.pids.has(pid)) tell(group, pid);
    const looks = before.looks + 1;
    switch (judge(group, before.beginning, found, looks, sample)) {
      case "well":
        this.seen.set(group, { last: found, beginning: found, looks: 0 });
        return;
      case "storm":
        generation.endStorm(group);
        return;
      case "undecided":
        this.seen.set(group, { last: found, beginning: before.beginning, looks });
    }
  }
}

function find(group: Group, { pid, pageFaults }: ProcessStat, sample: Sample): Found {
  const { workers } = sample.present(group.members);
  const pids = new Set(workers.map((worker) => worker.pid));
  const { leaderReads } = group.context.runtime;
  return { pids, pageFaults, bytesRead: leaderReads ? null : bytesRead(pid) };
}

function judge(group: Group, beginning: Found, found: Found, looks: number, sample: Sample) {
  const { members, context } = group;
  const young = sample.workers(members).filter(({ pid }) => !beginning.pids.has(pid));
  const lives = (worker: WorkerView) =>
    worker.activity.doing === "busy" && context.runtime.workersHaveSockets
      ? sample.hasAccepted(worker, members)
      : isAlive(worker);
  return judgeForks({
    pageFaults: found.pageFaults - beginning.pageFaults,
    bytesRead: found.bytesRead === null ? null : found.bytesRead - (beginning.bytesRead ?? 0),
    young: young.length,
    living: young.filter(lives).length,
    missing: group.size - found.pids.size,
    looks,
  });
}

/** Whether it has got as far as waiting for connections. */
function isAlive({ pid, activity }: WorkerView): boolean {
  const { doing } = activity;
  return (
    ["idle", "busy", "parked"].includes(doing) || (doing === "unknown" && hasWaited(pid) === true)
  );
}

function tell(group: Group, pid: number): void {
  const { pool, runtime, emit } = group.context;
  // A leader that tells it itself knows more.
  if (runtime.readLine !== undefined) return;
  emit({
    type: "member-ended",
    pool: pool.name,
    pid,
    leader: group.leader.pid,
    end: { how: "vanished" },
    unasked: group.shape.maxRequests === 0 && !group.wasRecycled(pid),
  });
}
