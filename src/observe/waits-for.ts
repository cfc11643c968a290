// What a worker waits for, in words: "reading from 10.0.0.5:3306 (recvfrom)". Seen from outside, of any program.

import { type OtherEnd, otherEnd } from "../sys/proc/peers.ts";
import type { SyscallKind } from "../sys/proc/syscalls.ts";
import { waitOf } from "../sys/proc/wait.ts";

export interface Waiting {
  /** The whole of it, for a person. */
  readonly text: string;
  /** The system call by its name; null while it runs, or when it cannot be seen. */
  readonly call: string | null;
  /** What it waits on: an address, a path, "its client"; null when it is nothing of the kind. */
  readonly on: string | null;
}

const VERBS: Readonly<Record<SyscallKind, readonly [withObject: string, without: string]>> = {
  read: ["reading from", "reading"],
  write: ["writing to", "writing"],
  connect: ["connecting to", "connecting"],
  poll: ["waiting for", "waiting"],
  select: ["waiting for", "waiting"],
  epoll: ["waiting for", "waiting"],
  sleep: ["sleeping on", "sleeping"],
  lock: ["waiting for a lock on", "waiting for a lock"],
  sync: ["writing to the disk what is in", "writing to the disk"],
  child: ["waiting for", "waiting for a child process"],
  mutex: ["waiting for", "waiting for a lock"],
  accept: ["waiting for", "waiting for a connection"],
  other: ["in", "in a system call"],
};

/** `connection`: the inode of the socket that the request came in by, or null. */
export function waitingOf(pid: number, connection: string | null): Waiting {
  const wait = waitOf(pid);
  if (wait.is === "unknown")
    return { text: "unknown: the kernel does not tell", call: null, on: null };
  if (wait.is === "running") return { text: "running on the CPU", call: null, on: null };
  const { name, kind } = wait.call;
  const ends = wait.fds.map((fd) => endText(otherEnd(pid, fd), connection));
  const on = [...new Set(ends.filter((end) => end !== null))].join(", ") || null;
  const [withObject, without] = VERBS[kind];
  return { text: `${on === null ? without : `${withObject} ${on}`} (${name})`, call: name, on };
}

function endText(end: OtherEnd | null, connection: string | null): string | null {
  switch (end?.is) {
    case "socket":
      if (end.inode === connection) return "its client";
      return end.address ?? "a socket";
    case "pipe":
      return "a pipe";
    case "file":
      return end.path;
    default:
      return null;
  }
}
