// Who accepts from a listening socket that nobody here has opened: the workers of an earlier supervisor,
// found by the socket's inode.

import { type SocketHolder, SocketHolders } from "../sys/proc/proc-sockets.ts";
import { type ProcessId, type ProcessStat, processStat } from "../sys/proc/procfs.ts";
import { userIdOf } from "../sys/trust.ts";

export interface LeftSocket {
  readonly inode: string;
  /**
   * Name of the workers' program, as /proc tells it; null = unknown. What scripts started has another one:
   * "anybody" counts that, too.
   */
  readonly command: string | "anybody" | null;
  /** Where the name is unknown: whether a program of this name may hold it, on whatever descriptor; nobody unless given. */
  readonly mayBeNamed?: (command: string) => boolean;
  /** User that they run as; null = unknown. */
  readonly uid: number | null;
  /** Process groups that workers were started as. */
  readonly groups: readonly ProcessId[];
}

/**
 * Those that have it as their standard input, and, of what goes by the name or group of its workers,
 * also those that keep it on another descriptor. What goes by our own name may be a supervisor, which
 * keeps every socket there is. Of another user's processes only those count that were started as workers.
 */
export function holdersOf(left: LeftSocket, look = new SocketHolders()): SocketHolder[] {
  const { inode, uid, groups } = left;
  const ownName = processStat(process.pid)?.command;
  const named = commandsOf(left, look).map((command) => (command === ownName ? null : command));
  const pids = groups.map(({ pid }) => pid);
  const holders = named.flatMap((command) => look.of(inode, { command, groups: pids }));
  const unique = [...new Map(holders.map((holder) => [holder.pid, holder])).values()];
  return unique.filter(
    (stat) => (stat.fd === 0 || stat.command !== ownName) && isOfUser(stat, uid, groups),
  );
}

/** The names that its workers may have. */
function commandsOf(
  { command, mayBeNamed }: LeftSocket,
  look: SocketHolders,
): readonly (string | null)[] {
  if (command !== null || mayBeNamed === undefined) return [command];
  return [null, ...look.commands.filter(mayBeNamed)];
}

/** Whether it runs as that user, or in a group that was started for the service: who else holds the socket is not ours to signal. */
export function isOfUser(
  stat: ProcessStat,
  uid: number | null,
  groups: readonly ProcessId[],
): boolean {
  if (uid === null || userIdOf(stat.pid) === uid) return true;
  return groups.some(({ pid, startTime }) => stat.group === pid && stat.startTime >= startTime);
}
