// Who is at the other end of a Unix connection: the kernel's word for it (SO_PEERCRED in unix(7)), taken when
// the connection was made.

import { libc, ptr } from "../libc.ts";
import { processStat } from "../proc/procfs.ts";
import { closeSocket, connectUnix } from "./socket.ts";
import { nameOf } from "../trust.ts";

export interface Peer {
  readonly uid: number;
  /** Name of the user. */
  readonly user: string;
  /** 0: in a process namespace that cannot be seen from here. */
  readonly pid: number;
  /** Name of its program; null: it has ended, or cannot be seen. */
  readonly command: string | null;
}

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** The process that connected to us; null when the kernel cannot say. */
export function peerOf(fd: number): Peer | null {
  const found = credentials(fd);
  if (found === null) return null;
  const { uid, pid } = found;
  return { uid, user: nameOf(uid), pid, command: processStat(pid)?.command ?? null };
}

/** The user id of who listens on a Unix socket's path; null when nobody does, or the kernel cannot say. */
export function listenerUid(path: string): number | null {
  const fd = connectUnix(path);
  if (fd === null) return null;
  try {
    return credentials(fd)?.uid ?? null;
  } finally {
    closeSocket(fd);
  }
}

function credentials(fd: number): Pick<Peer, "uid" | "pid"> | null {
  // struct ucred: pid, uid, gid.
  const found = new Int32Array(3);
  const size = new Uint32Array([12]);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ptr(found), ptr(size)) !== 0) return null;
  return { pid: found[0]!, uid: found[1]! >>> 0 };
}
