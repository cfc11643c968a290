// The workers that a leader forks and refills by itself: which of them are gone since the last look,
// and whether the leader forks and forks although none of its workers lives to serve (fork-storm.ts).

import { activityOf } from "../observe/activity.ts";
import { every } from "../sys/clock.ts";
import { bytesRead, hasWaited, processStat } from "../sys/procfs.ts";
import type { Group } from "../worker/group.ts";
import { judgeForks } from "./fork-storm.ts";
import type { Generation } from "./generation.ts";
import type { Pool } from "./pool.ts";

const LOOK_EVERY_MS = 1000;

/** Where a count began. */
interface Beginning {
  readonly pids: ReadonlySet<number>;
  readonly pageFaults: number;
  readonly bytesRead: number | null;
}

interface Seen {
  /** At the last look. */
  readonly pids: ReadonlySet<number>;
  readonly beginning: Beginning;
  readonly looks: number;
}

/** Looks once a second at the groups that fork; the returned function ends it. */
export function watchMembers(pools: () => readonly Pool[]): () => void {
  let seen = new Map<Group, Seen>();
  return every(LOOK_EVERY_MS, () => {
    const next = new Map<Group, Seen>();
    for (const generation of pools().map(({ current }) => current)) {
      for (const group of generation.all) {
        if (group.shape.size === 1 || group.state !== "serving") continue;
        next.set(group, look(generation, group, seen.get(group)));
      }
    }
    seen = next;
  });
}

function look(generation: Generation, group: Group, before: Seen | undefined): Seen {
  const now = presentOf(group);
  const { pids } = now;
  if (before === undefined) return { pids, beginning: now, looks: 0 };
  for (const pid of before.pids) if (!pids.has(pid)) tell(group, pid);
  const { beginning } = before;
  const young = [...pids].filter((pid) => !beginning.pids.has(pid));
  const looks = before.looks + 1;
  const verdict = judgeForks({
    pageFaults: now.pageFaults - beginning.pageFaults,
    bytesRead: now.bytesRead === null ? null : now.bytesRead - (beginning.bytesRead ?? 0),
    young: young.length,
    living: young.filter((pid) => lives(group, pid)).length,
    missing: group.shape.size - pids.size,
    looks,
  });
  if (verdict === "storm") generation.endStorm(group);
  return verdict === "well" ? { pids, beginning: now, looks: 0 } : { pids, beginning, looks };
}

/** The leader is looked at first: what it forks afterwards counts the next time. */
function presentOf(group: Group): Beginning {
  const { pid } = group.leader;
  const pageFaults = processStat(pid)?.pageFaults ?? 0;
  const read = bytesRead(pid);
  return {
    pids: new Set(group.members.workers(true).map((worker) => worker.pid)),
    pageFaults,
    bytesRead: read,
  };
}

/** Whether this worker has got as far as waiting for connections. */
function lives(group: Group, pid: number): boolean {
  const { doing } = activityOf(pid, group.context.listener.address);
  return doing === "idle" || doing === "busy" || (doing === "unknown" && hasWaited(pid) === true);
}

function tell(group: Group, pid: number): void {
  const { pool, emit } = group.context;
  emit({
    type: "member-ended",
    pool: pool.name,
    pid,
    leader: group.leader.pid,
    end: { how: "vanished" },
    unasked: group.shape.maxRequests === 0,
  });
}
