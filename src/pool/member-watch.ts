// The workers that a leader forks and refills by itself: which of them are gone since the last look,
// and whether the leader forks and forks although none of its workers lives to serve (a fork storm).

import { every, sleep } from "../sys/clock.ts";
import type { Group } from "../worker/group.ts";
import { busyWorkers, hasInHand } from "../worker/in-hand.ts";
import type { Generation } from "./generation.ts";
import type { Pool } from "./pool.ts";

const LOOK_EVERY_MS = 1000;
/** So many looks in a row that saw a leader do nothing but fork are a storm. */
const STORM_LOOKS = 5;
/** What a look does when workers have gone: it looks again, so often and so soon after each other. */
const CLOSE_LOOKS = 10;
const CLOSE_LOOK_MS = 20;
/** Of the close looks; a storm shows a new worker at nearly every one, however slow the machine. */
const RESTLESS_LOOKS = 5;

interface Seen {
  pids: ReadonlySet<number>;
  /** Looks in a row that saw the leader do nothing but fork. */
  restless: number;
}

/** Looks once a second at the groups that fork; the returned function ends it. */
export function watchMembers(pools: () => readonly Pool[]): () => void {
  let seen = new Map<Group, Seen>();
  return every(LOOK_EVERY_MS, () => {
    const next = new Map<Group, Seen>();
    for (const generation of pools().map(({ current }) => current)) {
      for (const group of generation.all) {
        if (group.shape.size === 1 || group.state !== "serving") continue;
        const record = seen.get(group) ?? { pids: new Set(), restless: 0 };
        next.set(group, record);
        void look(generation, group, record);
      }
    }
    seen = next;
  });
}

async function look(generation: Generation, group: Group, record: Seen): Promise<void> {
  const before = record.pids;
  record.pids = pidsOf(group);
  const gone = [...before].filter((pid) => !record.pids.has(pid));
  for (const pid of gone) tell(group, pid);
  const allGone = gone.length > 0 && gone.length === before.size && busyWorkers(group) === 0;
  const restless = allGone || (gone.length > 0 && (await forksOnly(group)));
  record.restless = restless ? record.restless + 1 : 0;
  if (record.restless === STORM_LOOKS && group.state === "serving") generation.endStorm(group);
}

/** Whether nearly every close look finds a worker that was not there before, and none of these serves. */
async function forksOnly(group: Group): Promise<boolean> {
  const known = new Set(pidsOf(group));
  let finds = 0;
  for (let i = 0; i < CLOSE_LOOKS; i += 1) {
    await sleep(CLOSE_LOOK_MS);
    const forked = [...pidsOf(group)].filter((pid) => !known.has(pid));
    if (forked.some((pid) => hasInHand(group, pid))) return false;
    for (const pid of forked) known.add(pid);
    if (forked.length > 0) finds += 1;
  }
  return finds >= RESTLESS_LOOKS;
}

function pidsOf(group: Group): ReadonlySet<number> {
  return new Set(group.members.workers(true).map(({ pid }) => pid));
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
