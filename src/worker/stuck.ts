// A process that not even KILL has ended: it is named, with where it waits, and left to the kernel.

import type { Event } from "../event.ts";
import { processStat, waitChannel } from "../sys/procfs.ts";

export function stuckEvent(pool: string, pid: number): Event {
  const state = processStat(pid)?.state ?? "?";
  return { type: "worker-stuck", pool, pid, state, where: waitChannel(pid) };
}
