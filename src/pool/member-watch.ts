// The workers that a leader forks and refills by itself: which of them are gone since the last look,
// and whether the leader forks and forks although none of its workers lives to serve (a fork storm).

import { every } from "../sys/clock.ts";
import { processStat } from "../sys/procfs.ts";
import type { Group } from "../worker/group.ts";
import type { Generation } from "./generation.ts";
import type { Pool } from "./pool.ts";

const LOOK_EVERY_MS = 1000;
/** So many looks in a row at which every worker was a new one and none was serving. */
const STORM_LOOKS = 5;

/**
 * CPU ticks (hundredths of a second) that a leader itself uses between two looks when it does nothing
 * but fork: 8 were measured at 420 forks a second, none in normal service.
 */
const FORKING_TICKS = 5;
/** With fewer requests a worker than this, many forks may be right. */
const SHORT_LIVED = 50;

interface Seen {
  readonly pids: ReadonlySet<number>;
  readonly leaderTicks: number;
  /** Looks in a row that saw a leader do nothing but fork. */
  readonly restless: number;
}

/** Looks once a second at the groups that fork; the returned function ends it. */
export function watchMembers(pools: () => readonly Pool[]): () => void {
  let seen = new Map<Group, Seen>();
  return every(LOOK_EVERY_MS, () => {
    const next = new Map<Group, Seen>();
    for (const generation of pools().map(({ current }) => current)) {
      for (const group of generation.all) {
        if (group.shape.size > 1 && group.state === "serving")
          look(generation, group, seen.get(group), next);
      }
    }
    seen = next;
  });
}

function look(
  generation: Generation,
  group: Group,
  before: Seen | undefined,
  next: Map<Group, Seen>,
): void {
  const pids = new Set(group.members.workers().map(({ pid }) => pid));
  const gone = [...(before?.pids ?? [])].filter((pid) => !pids.has(pid));
  for (const pid of gone) tell(group, pid);
  const leaderTicks = processStat(group.leader.pid)?.cpuTicks ?? 0;
  const restless = before !== undefined && forksOnly(group, before, gone, leaderTicks);
  const looks = restless ? before.restless + 1 : 0;
  if (looks >= STORM_LOOKS) generation.endStorm(group);
  else next.set(group, { pids, leaderTicks, restless: looks });
}

/** All workers are new ones and none serves, or the leader is busy with forking alone. */
function forksOnly(group: Group, before: Seen, gone: readonly number[], ticks: number): boolean {
  if (gone.length === before.pids.size && group.busyWorkers() === 0) return true;
  const { maxRequests } = group.shape;
  const longLived = maxRequests === 0 || maxRequests >= SHORT_LIVED;
  return longLived && ticks - before.leaderTicks >= FORKING_TICKS;
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
