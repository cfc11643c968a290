// Blocking accept, recv and send for a prefork worker: what the embedded responder does and nobody
// else in this program may. The listening socket is shared, so its O_NONBLOCK flag is never touched;
// instead a signal interrupts the waiting call, and the caller then lets the event loop deliver it.

import { constants } from "node:os";
import { checked, errno, libc, ptr, SysError } from "../libc.ts";

const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EINTR = 4;
const EAGAIN = 11;
const ECONNABORTED = 103;

export type Interrupted = "interrupted";

/** The next connection; "interrupted" when a signal came, or the client had left already. */
export function acceptConnection(listener: number): number | Interrupted {
  const fd = libc.accept4(listener, null, null, SOCK_CLOEXEC);
  if (fd >= 0) return fd;
  const code = errno();
  if (code === EINTR || code === ECONNABORTED) return "interrupted";
  throw new SysError("accept4", code);
}

/**
 * Bytes put into `buffer`: 0 = the peer has closed or reset the connection. With `wait` false it
 * says "nothing-yet" rather than waiting.
 */
export function receive(
  fd: number,
  buffer: Uint8Array,
  wait: boolean,
): number | Interrupted | "nothing-yet" {
  const count = Number(libc.recv(fd, ptr(buffer), buffer.length, wait ? 0 : MSG_DONTWAIT));
  if (count >= 0) return count;
  const code = errno();
  if (code === EINTR) return "interrupted";
  return code === EAGAIN ? "nothing-yet" : 0;
}

/** Sends all of it, waiting where it must; false when the peer is gone. */
export function sendAll(fd: number, bytes: Uint8Array): boolean {
  let rest = bytes;
  while (rest.length > 0) {
    const count = Number(libc.send(fd, ptr(rest), rest.length, MSG_NOSIGNAL));
    if (count >= 0) rest = rest.subarray(count);
    else if (errno() !== EINTR) return false;
  }
  return true;
}

export function closeConnection(fd: number): void {
  libc.close(fd);
}

/** Calls back on the signal, and makes it interrupt a waiting system call (siginterrupt(3)). */
export function interruptOn(name: NodeJS.Signals, callback: () => void): void {
  process.on(name, callback);
  // After process.on, which installs its handler with SA_RESTART.
  checked("siginterrupt", libc.siginterrupt(constants.signals[name], 1));
}

const ITIMER_REAL = 0;

/**
 * Interrupts whatever waits every `ms` milliseconds (SIGALRM). A signal that arrives just before a
 * call begins to wait does not interrupt it: this is what bounds the delay.
 */
export function interruptEvery(ms: number): void {
  interruptOn("SIGALRM", () => {});
  // struct itimerval: interval and first value, each seconds and microseconds.
  const [seconds, rest] = [BigInt(Math.floor(ms / 1000)), BigInt((ms % 1000) * 1000)];
  const value = new BigInt64Array([seconds, rest, seconds, rest]);
  checked("setitimer", libc.setitimer(ITIMER_REAL, ptr(value), null));
}
