// Connections that the kernel has turned away because a queue was full (/proc/net/netstat). It counts them for all
// TCP sockets together. A socket's own count (sk_drops) tells nothing here: with TCP_DEFER_ACCEPT each client
// that connects before it sends counts as a drop, and so does each that a filter rejects. For Unix sockets there
// is no count: connect(2) waits, or fails with EAGAIN at the client.

import { readText } from "../proc/proc-file.ts";

export interface TcpDrops {
  /** A connection was complete and found the queue full. */
  readonly overflows: number;
  /** The same, and those that were turned away before. */
  readonly drops: number;
}

/** Of all listening TCP sockets of this network namespace since it began; null where it is not told. */
export function tcpDrops(): TcpDrops | null {
  const [names, values] = (readText("/proc/net/netstat") ?? "")
    .split("\n")
    .filter((line) => line.startsWith("TcpExt:"))
    .map((line) => line.split(" "));
  const value = (name: string) => Number(values?.[names?.indexOf(name) ?? -1] ?? Number.NaN);
  const [overflows, drops] = [value("ListenOverflows"), value("ListenDrops")];
  return Number.isInteger(overflows) && Number.isInteger(drops) ? { overflows, drops } : null;
}

/** What has come since; null where one of them is. */
export function dropsSince(before: TcpDrops | null): TcpDrops | null {
  const now = tcpDrops();
  if (before === null || now === null) return null;
  const [overflows, drops] = [now.overflows - before.overflows, now.drops - before.drops];
  return { overflows, drops };
}
