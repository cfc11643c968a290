// Who accepts from a listening socket that nobody here has opened: the workers of an earlier supervisor,
// found by the socket's inode.

import { type SocketHolder, SocketHolders } from "../sys/proc-sockets.ts";
import { type ProcessId, type ProcessStat, processStat } from "../sys/procfs.ts";

export interface LeftSocket {
  readonly inode: string;
  /** Name of the workers' program, as /proc tells it; null = unknown. What scripts started has another one. */
  readonly command: string | null;
  /** Process groups that workers were started as. */
  readonly groups: readonly ProcessId[];
}

/**
 * Those that have it as their standard input, and, of what goes by the name or group of its workers,
 * also those that keep it on another descriptor. What goes by our own name may be a supervisor, which
 * keeps every socket there is.
 */
export function holdersOf(
  { inode, command, groups }: LeftSocket,
  look = new SocketHolders(),
): SocketHolder[] {
  const ownName = processStat(process.pid)?.command;
  const leaders = new Set(groups.map(({ pid }) => pid));
  const isWorker = (stat: ProcessStat) => stat.command === command || leaders.has(stat.group);
  return look.of(inode, (stat) => stat.command !== ownName && isWorker(stat));
}
