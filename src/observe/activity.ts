// What a worker is doing, seen from outside: it waits in accept(2) on fd 0, or it does not. No
// worker is asked, so this works while every one of them is busy.

import type { Address } from "../sys/address.ts";
import {
  acceptedTcpInodes,
  currentSyscall,
  processStat,
  socketsOf,
  unixInodes,
} from "../sys/procfs.ts";

export type Activity =
  /** Waits for a connection, with none in hand. */
  | { readonly doing: "idle" }
  /** Has a connection in hand. */
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
const SYSCALLS: Partial<Record<NodeJS.Architecture, SyscallNumbers>> = {
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

/** Looks at one worker that accepts on `address`. */
export function activityOf(pid: number, address: Address): Activity {
  const stat = processStat(pid);
  if (stat === null || stat.state === "Z" || stat.state === "X") return { doing: "gone" };
  if (stat.state === "T" || stat.state === "t") return { doing: "stopped" };
  const call = currentSyscall(pid);
  const numbers = SYSCALLS[process.arch];
  if (call !== null && call !== "running" && numbers !== undefined) {
    if (call.fd === 0 && numbers.accept.has(call.number)) return { doing: "idle" };
    if (numbers.wait.has(call.number)) return waiting(pid, address);
  }
  const socket = firstSocket(pid);
  if (socket === null) return { doing: "unknown" };
  if (socket === undefined) return { doing: "working" };
  const [fd, inode] = socket;
  const reads = call !== null && call !== "running" && numbers?.read.has(call.number) === true;
  return { doing: "busy", connection: { fd, inode, awaited: reads && call.fd === fd } };
}

/**
 * A program that waits in poll or the like is idle when none of its sockets was accepted from our
 * listener; it may well have others, to a database for instance.
 */
function waiting(pid: number, address: Address): Activity {
  const sockets = socketsOf(pid);
  if (sockets === null) return { doing: "unknown" };
  const accepted = new Set(acceptedInodes(address));
  const found = [...sockets].find(([fd, inode]) => fd > 2 && accepted.has(inode));
  if (found === undefined) return { doing: "idle" };
  return { doing: "busy", connection: { fd: found[0], inode: found[1], awaited: false } };
}

function acceptedInodes(address: Address): string[] {
  switch (address.kind) {
    case "unix":
      return unixInodes(address.path);
    case "inet":
      return acceptedTcpInodes(address.port, "tcp");
    case "inet6":
      return acceptedTcpInodes(address.port, "tcp6");
  }
}

/**
 * The lowest-numbered socket behind 0, 1 and 2, with its inode: what accept(2) returned, for programs
 * that take one connection at a time. undefined: there is none; null: cannot be seen.
 */
function firstSocket(pid: number): [fd: number, inode: string] | undefined | null {
  const sockets = socketsOf(pid);
  if (sockets === null) return null;
  return [...sockets].filter(([fd]) => fd > 2).sort(([a], [b]) => a - b)[0];
}

/** Whether a worker, stopped or not, has a connection in hand; null when that cannot be seen. */
export function holdsConnection(pid: number): boolean | null {
  const socket = firstSocket(pid);
  return socket === null ? null : socket !== undefined;
}

/** Whether one of its sockets was accepted from the listener of this address. */
export function hasAccepted(pid: number, address: Address): boolean {
  const accepted = new Set(acceptedInodes(address));
  return [...(socketsOf(pid) ?? [])].some(([fd, inode]) => fd > 2 && accepted.has(inode));
}
