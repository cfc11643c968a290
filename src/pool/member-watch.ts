// The workers that a leader forks and refills by itself: which of them are gone since the last look,
// and whether the leader forks and forks although none of its workers lives to serve (a fork storm).

import { every } from "../sys/clock.ts";
import type { Group } from "../worker/group.ts";
import type { Generation } from "./generation.ts";
import type { Pool } from "./pool.ts";

const LOOK_EVERY_MS = 1000;
/** So many looks in a row at which every worker was a new one and none was serving. */
const STORM_LOOKS = 5;

interface Seen {
  readonly pids: ReadonlySet<number>;
  /** Looks in a row that saw nothing but new, idle or vanished workers. */
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
  const restless =
    before !== undefined && gone.length === before.pids.size && group.busyWorkers() === 0;
  const looks = restless ? before.restless + 1 : 0;
  if (looks >= STORM_LOOKS) generation.endStorm(group);
  else next.set(group, { pids, restless: looks });
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
