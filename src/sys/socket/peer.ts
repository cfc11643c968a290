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

/** The process that connected to us, or listens where we have connected; null when the kernel cannot say. */
export function peerOf(fd: number): Peer | null {
  // struct ucred: pid, uid, gid.
  const credentials = new Int32Array(3);
  const size = new Uint32Array([12]);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ptr(credentials), ptr(size)) !== 0) return null;
  const [pid, uid] = [credentials[0]!, credentials[1]! >>> 0];
  return { uid, user: nameOf(uid), pid, command: processStat(pid)?.command ?? null };
}

/** The process that listens on a Unix socket's path; null when nobody does, or the kernel cannot say. */
export function listenerOf(path: string): Peer | null {
  const fd = connectUnix(path);
  if (fd === null) return null;
  try {
    return peerOf(fd);
  } finally {
    closeSocket(fd);
  }
}
