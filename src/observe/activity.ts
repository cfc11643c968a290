// What a worker is doing, seen from outside: it waits in accept(2) on the listener, whatever descriptor
// that is in it, or it does not. No worker is asked, so this works while every one of them is busy.

import type { Address } from "../sys/socket/address.ts";
import { socketsOf } from "../sys/proc/proc-sockets.ts";
import type { ProcessStat } from "../sys/proc/procfs.ts";
import { AcceptedSockets } from "./accepted.ts";
import { Waiting } from "./waiting.ts";

/** The socket that workers accept from. */
export interface Listening {
  readonly inode: number;
  readonly address: Address;
  /** Inode of the socket that they write their output to, on whatever descriptor; unless given, it is that of 1 or 2. */
  readonly output?: string;
}

export type Activity =
  /** Waits for a connection, and has none. */
  | {
      readonly doing: "idle";
      /** In accept(2) itself, and not in a select or poll, which may be for something else. */
      readonly inAccept: boolean;
    }
  /** Has a connection. */
  | { readonly doing: "busy"; readonly connection: Connection }
  /** Neither waits nor has a connection: it starts, or is between two requests. */
  | { readonly doing: "working" }
  /** Stopped by us while it was idle: the spare of a pool that follows the load. */
  | { readonly doing: "parked" }
  /** By SIGSTOP of somebody else, or by a debugger, which may want to look at it for a while. */
  | { readonly doing: "stopped"; readonly traced: boolean }
  /** /proc does not let us see (no right to look at another user's process). */
  | { readonly doing: "unknown" }
  | { readonly doing: "gone" };

export interface Connection {
  readonly fd: number;
  /** Of its socket: tells one connection from the next. */
  readonly inode: string;
  /** The worker waits for its client to send something. */
  readonly awaited: boolean;
}

/**
 * What a process does that accepts from this listener. With several threads it has a connection when one of
 * them does, however many wait in accept(2) beside it.
 */
export function activityOf(
  stat: ProcessStat,
  listener: Listening,
  accepted: AcceptedSockets,
): Activity {
  const { state } = stat;
  if (state === "Z" || state === "X") return { doing: "gone" };
  if (isStopped(state)) return { doing: "stopped", traced: state === "t" };
  return doingOf(stat, listener, accepted);
}

/** Of proc(5), by SIGSTOP or by a debugger. */
export function isStopped(state: string): boolean {
  return state === "T" || state === "t";
}

/**
 * Whether a stopped process was waiting for a connection of this listener, and has got none: /proc shows
 * the call that it was stopped in. null: cannot be seen.
 */
export function wasIdle(
  stat: ProcessStat,
  listener: Listening,
  accepted: AcceptedSockets,
): boolean | null {
  // accept(2) may have its connection already, and not have returned yet.
  const holds = holdsConnection(stat.pid, listener, accepted);
  if (holds !== false) return holds === null ? null : false;
  return doingOf(stat, listener, accepted).doing === "idle";
}

/** The same of a process that lives, stopped or not: one that is stopped shows the call it was stopped in. */
export function doingOf(
  stat: ProcessStat,
  listener: Listening,
  accepted: AcceptedSockets,
): Exclude<Activity, { doing: "gone" | "stopped" | "parked" }> {
  const { pid, threads } = stat;
  const waiting = new Waiting(stat);
  const inAccept = waiting.inAccept(listener.inode).length > 0;
  if (inAccept && threads === 1) return { doing: "idle", inAccept };
  const sockets = connectionsOf(pid, listener);
  if (sockets === null) return { doing: "unknown" };
  const isIdle = inAccept || waiting.inPoll;
  // Who may be idle, or has several threads, may well have other sockets, to a database for instance.
  const mine = isIdle || threads > 1 ? accepted.at(listener.address) : null;
  const ours = sockets.find(({ inode }) => mine?.has(inode));
  if (isIdle && ours === undefined) return { doing: "idle", inAccept };
  const connection = ours ?? sockets[0];
  if (connection === undefined) return { doing: "working" };
  return {
    doing: "busy",
    connection: { ...connection, awaited: waiting.inRead(connection.fd) },
  };
}

/** The threads that wait in accept(2) on this listener. */
export function threadsInAccept(stat: ProcessStat, { inode }: Listening): readonly number[] {
  return new Waiting(stat).inAccept(inode);
}

type Socket = Pick<Connection, "fd" | "inode">;

/**
 * Its sockets but for the listener and where its output goes, the lowest descriptor first: that is what
 * accept(2) returned, for programs that take one connection at a time. null: cannot be seen.
 */
function connectionsOf(pid: number, listener: Listening): Socket[] | null {
  const sockets = socketsOf(pid);
  if (sockets === null) return null;
  const { inode: own, output } = listener;
  const others = new Set([String(own), output, sockets.get(1), sockets.get(2)]);
  return [...sockets]
    .filter(([, inode]) => !others.has(inode))
    .map(([fd, inode]) => ({ fd, inode }))
    .sort((a, b) => a.fd - b.fd);
}

/**
 * Whether a worker, stopped or not, may have a connection of this listener; null when that cannot be seen.
 * It may well have other sockets.
 */
export function holdsConnection(
  pid: number,
  listener: Listening,
  accepted = new AcceptedSockets(),
): boolean | null {
  const sockets = connectionsOf(pid, listener);
  if (sockets === null) return null;
  // The tables are read only for who has any.
  return sockets.some(({ inode }) => !accepted.isOther(inode, listener.address));
}

/** How many connections of this listener a process has: programs of several threads may have several. */
export function connectionCount(
  pid: number,
  listener: Listening,
  accepted: AcceptedSockets,
): number {
  const mine = accepted.at(listener.address);
  return (connectionsOf(pid, listener) ?? []).filter(({ inode }) => mine.has(inode)).length;
}
