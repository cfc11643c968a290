// What a worker is doing, seen from outside: it waits in accept(2) on the listener, whatever descriptor
// that is in it, or it does not. No worker is asked, so this works while every one of them is busy.

import type { Address } from "../sys/socket/address.ts";
import { socketAt, socketsOf } from "../sys/proc/proc-sockets.ts";
import { currentSyscall, type ProcessStat } from "../sys/proc/procfs.ts";
import { AcceptedSockets } from "./accepted.ts";

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
  /** SIGSTOP, or a debugger. */
  | { readonly doing: "stopped" }
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

interface SyscallNumbers {
  readonly accept: ReadonlySet<number>;
  /** select, poll, epoll_wait and their variants. */
  readonly wait: ReadonlySet<number>;
  /** read, recvfrom, recvmsg. */
  readonly read: ReadonlySet<number>;
}

/** From the kernel's unistd tables. */
const TABLES: Partial<Record<NodeJS.Architecture, SyscallNumbers>> = {
  x64: {
    accept: new Set([43, 288]),
    wait: new Set([7, 23, 232, 270, 271, 281, 441]),
    read: new Set([0, 45, 47]),
  },
  arm64: {
    accept: new Set([202, 242]),
    wait: new Set([22, 72, 73, 441]),
    read: new Set([63, 207, 212]),
  },
};
const NONE: SyscallNumbers = { accept: new Set(), wait: new Set(), read: new Set() };
const SYSCALLS = TABLES[process.arch] ?? NONE;

/** What a process does that accepts from this listener. */
export function activityOf(
  { pid, state }: ProcessStat,
  listener: Listening,
  accepted: AcceptedSockets,
): Activity {
  if (state === "Z" || state === "X") return { doing: "gone" };
  if (state === "T" || state === "t") return { doing: "stopped" };
  const call = currentSyscall(pid);
  const isIn = (numbers: ReadonlySet<number>) => call !== null && numbers.has(call.number);
  if (isIn(SYSCALLS.accept) && socketAt(pid, call!.fd) === String(listener.inode))
    return { doing: "idle", inAccept: true };
  const sockets = connectionsOf(pid, listener);
  if (sockets === null) return { doing: "unknown" };
  if (isIn(SYSCALLS.wait)) {
    // It may well have other sockets, to a database for instance.
    const mine = accepted.at(listener.address);
    const connection = sockets.find(({ inode }) => mine.has(inode));
    if (connection === undefined) return { doing: "idle", inAccept: false };
    return { doing: "busy", connection: { ...connection, awaited: false } };
  }
  const [connection] = sockets;
  if (connection === undefined) return { doing: "working" };
  const awaited = isIn(SYSCALLS.read) && call!.fd === connection.fd;
  return { doing: "busy", connection: { ...connection, awaited } };
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

/** Whether one of its sockets was accepted from this listener. */
export function hasAccepted(pid: number, listener: Listening, accepted: AcceptedSockets): boolean {
  const mine = accepted.at(listener.address);
  return (connectionsOf(pid, listener) ?? []).some(({ inode }) => mine.has(inode));
}
