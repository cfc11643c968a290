// Descriptors of other processes (pidfd_open(2), pidfd_getfd(2); Linux 5.6): needs the right to
// trace the process, which root and, for its descendants, a parent have.

import { errno, libc, ptr } from "./libc.ts";

const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
const MSG_PEEK = 2;
const MSG_DONTWAIT = 0x40;
const SHUT_RD = 0;
const EAGAIN = 11;

/** A copy of another process's descriptor, close-on-exec; null when the kernel does not let us have it. */
export function takeDescriptor(pid: number, fd: number): number | null {
  const pidfd = Number(libc.syscall(SYS_PIDFD_OPEN, pid, 0, 0, 0, 0));
  if (pidfd < 0) return null;
  const copy = Number(libc.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0, 0, 0));
  libc.close(pidfd);
  return copy < 0 ? null : copy;
}

/**
 * Makes another process's connection look closed by its peer, if nothing waits to be read on it.
 * Returns whether it was done.
 */
export function hangUp(pid: number, fd: number): boolean {
  const copy = takeDescriptor(pid, fd);
  if (copy === null) return false;
  try {
    const byte = new Uint8Array(1);
    const waiting = Number(libc.recv(copy, ptr(byte), 1, MSG_PEEK | MSG_DONTWAIT));
    if (waiting >= 0 || errno() !== EAGAIN) return false;
    return libc.shutdown(copy, SHUT_RD) === 0;
  } finally {
    libc.close(copy);
  }
}
