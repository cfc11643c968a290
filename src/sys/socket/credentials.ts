// Which user and process is at the other end of a Unix connection: the kernel's word for it (SO_PEERCRED in
// unix(7)), taken when the connection was made.

import { libc, ptr } from "../libc.ts";
import { connectUnix } from "./unix-connect.ts";

export interface Credentials {
  readonly uid: number;
  /** 0: in a process namespace that cannot be seen from here. */
  readonly pid: number;
}

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** Those of who connected to us, or listens where we have connected; null when the kernel cannot say. */
export function credentials(fd: number): Credentials | null {
  // struct ucred: pid, uid, gid.
  const found = new Int32Array(3);
  const size = new Uint32Array([12]);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ptr(found), ptr(size)) !== 0) return null;
  return { pid: found[0]!, uid: found[1]! >>> 0 };
}

/** The user id of who listens on a Unix socket's path; null when nobody does, or the kernel cannot say. */
export function listenerUid(path: string): number | null {
  const fd = connectUnix(path);
  if (fd === null) return null;
  try {
    return credentials(fd)?.uid ?? null;
  } finally {
    libc.close(fd);
  }
}
