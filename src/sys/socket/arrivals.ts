// Whether connections wait at listening sockets, and the news that one has arrived, as a signal (fcntl(2),
// O_ASYNC). The flag is shared by all who hold the socket, and there is a signal for each connection, so it
// is on only while nothing else looks. The signal is SIGURG, which does no harm to a program that does
// not expect it.

import { constants } from "node:os";
import { libc, ptr } from "../libc.ts";

const F_GETFL = 3;
const F_SETFL = 4;
const F_SETOWN = 8;
const F_SETSIG = 10;
const O_ASYNC = 0o20000;
const POLLIN = 1;

/** Calls back when a connection has arrived at one of the sockets for which that is on. */
export function onArrival(callback: () => void): void {
  process.on("SIGURG", callback);
}

/** Switches it on or off; false when the kernel refuses. A connection that waits already raises no signal. */
export function tellArrivals(fd: number, on: boolean): boolean {
  const flags = libc.fcntl(fd, F_GETFL, 0);
  if (flags < 0) return false;
  if (!on) return libc.fcntl(fd, F_SETFL, flags & ~O_ASYNC) === 0;
  return (
    libc.fcntl(fd, F_SETOWN, process.pid) === 0 &&
    libc.fcntl(fd, F_SETSIG, constants.signals.SIGURG) === 0 &&
    libc.fcntl(fd, F_SETFL, flags | O_ASYNC) === 0
  );
}

/** Those of the listening sockets at which somebody waits: one system call for all. */
export function whereSomebodyWaits(fds: readonly number[]): number[] {
  // struct pollfd: descriptor, then what is asked for and what is, 16 bit each.
  const asked = new DataView(new ArrayBuffer(Math.max(8, fds.length * 8)));
  for (const [i, fd] of fds.entries()) {
    asked.setInt32(i * 8, fd, true);
    asked.setInt16(i * 8 + 4, POLLIN, true);
  }
  if (libc.poll(ptr(asked), BigInt(fds.length), 0) <= 0) return [];
  return fds.filter((_, i) => (asked.getInt16(i * 8 + 6, true) & POLLIN) !== 0);
}
