// Who accepts from a listening socket that nobody here has opened: the workers of an earlier supervisor,
// found by the socket's inode.

import { type SocketHolder, SocketHolders } from "../sys/proc-sockets.ts";
import { type ProcessId, processStat } from "../sys/procfs.ts";

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
  const mayHold = {
    command: command === ownName ? null : command,
    groups: groups.map(({ pid }) => pid),
  };
  return look.of(inode, mayHold).filter((stat) => stat.fd === 0 || stat.command !== ownName);
}
