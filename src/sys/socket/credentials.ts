// Which user and process is at the other end of a Unix connection: the kernel's word for it (SO_PEERCRED in
// unix(7)), taken when the connection was made.

import { libc, ptr } from "../libc.ts";
import { closeSocket, connectUnix } from "./socket.ts";

export interface Credentials {
  readonly uid: number;
  /** 0: in a process namespace that cannot be seen from here. */
  readonly pid: number;
  /** Its group, and its supplementary ones. */
  readonly groups: readonly number[];
}

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** Linux 4.13. */
const SO_PEERGROUPS = 59;
/** As many as a process can be in: NGROUPS_MAX in limits.h. */
const MOST_GROUPS = 65_536;
/** Those of nearly everybody. */
const USUAL_GROUPS = 64;

/** Those of who connected to us, or listens where we have connected; null when the kernel cannot say. */
export function credentials(fd: number): Credentials | null {
  // struct ucred: pid, uid, gid.
  const found = new Int32Array(3);
  const size = new Uint32Array([12]);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ptr(found), ptr(size)) !== 0) return null;
  const groups = [found[2]! >>> 0, ...supplementaryGroups(fd)];
  return { pid: found[0]!, uid: found[1]! >>> 0, groups };
}

/** None where the kernel does not tell. */
function supplementaryGroups(fd: number): number[] {
  for (const room of [USUAL_GROUPS, MOST_GROUPS]) {
    const found = new Uint32Array(room);
    const size = new Uint32Array([found.byteLength]);
    if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ptr(found), ptr(size)) === 0)
      return [...found.subarray(0, size[0]! / found.BYTES_PER_ELEMENT)];
  }
  return [];
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
