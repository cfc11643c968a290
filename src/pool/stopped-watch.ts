// A worker that somebody has stopped (SIGSTOP) keeps its request waiting, and a stopped leader
// replaces nobody. Who did it may have forgotten: after a while it is continued. One that a debugger
// holds is another matter, and left alone.

import { every, now } from "../sys/clock.ts";
import { sendSignal } from "../sys/process.ts";
import { processStat } from "../sys/procfs.ts";
import type { Group } from "../worker/group.ts";
import type { Pool } from "./pool.ts";

const LOOK_EVERY_MS = 2000;
const STOPPED_MOST_MS = 10_000;

/** Looks at every process of the serving generations; the returned function ends it. */
export function watchStopped(pools: () => readonly Pool[]): () => void {
  let since = new Map<number, number>();
  return every(LOOK_EVERY_MS, () => {
    const next = new Map<number, number>();
    for (const group of pools().flatMap(({ current }) => current.all)) {
      for (const pid of group.pids()) look(group, pid, since.get(pid), next);
    }
    since = next;
  });
}

function look(group: Group, pid: number, since: number | undefined, next: Map<number, number>) {
  // "t" is a debugger's.
  if (processStat(pid)?.state !== "T") return;
  const { pool, emit } = group.context;
  if (since === undefined) {
    emit({ type: "worker-stopped", pool: pool.name, pid, resumesInMs: STOPPED_MOST_MS });
  } else if (now() - since >= STOPPED_MOST_MS) {
    sendSignal(pid, "SIGCONT");
    emit({ type: "worker-resumed", pool: pool.name, pid });
    return;
  }
  next.set(pid, since ?? now());
}
