// What /proc tells of sockets: who holds which, and what the kernel's tables say of them. A socket goes by
// its inode, whatever descriptor it is in whatever process. A look from outside never throws.

import { readdirSync, readlinkSync } from "node:fs";
import { readText, TABLE_MOST } from "./proc-file.ts";
import { allPids, commandLine, type ProcessStat, processesWhere } from "./procfs.ts";

/** Descriptors of one process that are looked at, the lowest first. */
const DESCRIPTORS_MOST = 4096;

/** The inode of the socket that a descriptor of a process is; null when it is none, or cannot be seen. */
export function socketAt(pid: number, fd: number): string | null {
  try {
    return inodeIn(readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    // Gone, closed, or no right to look.
    return null;
  }
}

function inodeIn(link: string): string | null {
  return link.startsWith("socket:[") ? link.slice(8, -1) : null;
}

/** Inodes of the sockets a process holds, by descriptor; null when they cannot be seen. */
export function socketsOf(pid: number): Map<number, string> | null {
  const sockets = new Map<number, string>();
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return null;
  }
  for (const name of names.slice(0, DESCRIPTORS_MOST)) {
    try {
      const inode = inodeIn(readlinkSync(`/proc/${pid}/fd/${name}`));
      if (inode !== null) sockets.set(Number(name), inode);
    } catch (error) {
      // Root without CAP_SYS_PTRACE may list another user's descriptors, but not look at them.
      if ((error as { code?: string }).code === "EACCES") return null;
      // Closed between the listing and the look.
    }
  }
  return sockets;
}

const LISTEN = "0A";

/** The inode of a listening TCP socket on this port (hexadecimal as in /proc/net/tcp), or of none. */
export function listeningInodes(
  matches: (localAddress: string) => boolean,
  file: "tcp" | "tcp6",
): string[] {
  return tcpRows(file)
    .filter((row) => row[3] === LISTEN && matches(row[1]!))
    .map((row) => row[9]!);
}

/** TCP ports that somebody listens on, on whichever address. */
export function listeningPorts(): ReadonlySet<number> {
  const rows = [...tcpRows("tcp"), ...tcpRows("tcp6")].filter((row) => row[3] === LISTEN);
  return new Set(rows.map((row) => Number.parseInt(row[1]!.split(":").at(-1)!, 16)));
}

/** Inodes of Unix sockets bound to this path (the accepted connections of a listener show it too). */
export function unixInodes(path: string): string[] {
  return unixInodesByPath().get(path) ?? [];
}

/** The same for every path. */
export function unixInodesByPath(): ReadonlyMap<string, string[]> {
  const rows = tableLines("unix").map((line) => /^(?:\S+ +){6}(\d+) (.+)$/.exec(line));
  const bound = rows.filter((row) => row !== null);
  return grouped(bound.map(([, inode, path]) => [Buffer.from(path!, "latin1").toString(), inode!]));
}

/** Inodes of all Unix sockets, those without a path too. */
export function allUnixInodes(): ReadonlySet<string> {
  return new Set(tableLines("unix").map((line) => line.trim().split(/ +/)[6]!));
}

/** Inodes of TCP connections by the port of their own end, which for accepted ones is the listener's. */
export function connectedInodesByPort(file: "tcp" | "tcp6"): ReadonlyMap<number, string[]> {
  const rows = tcpRows(file).filter((row) => row[3] !== LISTEN);
  return grouped(rows.map((row) => [Number.parseInt(row[1]!.split(":").at(-1)!, 16), row[9]!]));
}

function grouped<K>(pairs: readonly (readonly [K, string])[]): ReadonlyMap<K, string[]> {
  const groups = new Map<K, string[]>();
  for (const [key, inode] of pairs) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [inode]);
    else group.push(inode);
  }
  return groups;
}

function tcpRows(file: "tcp" | "tcp6"): string[][] {
  return tableLines(file).map((line) => line.trim().split(/\s+/));
}

/** The lines of a table of sockets, without its heading. */
function tableLines(file: "tcp" | "tcp6" | "unix"): string[] {
  const text = readText(`/proc/net/${file}`, TABLE_MOST) ?? "";
  return text
    .split("\n")
    .slice(1)
    .filter((line) => line !== "");
}

/** A process that holds a socket, and as which descriptor. */
export interface SocketHolder extends ProcessStat {
  readonly fd: number;
}

/**
 * Processes that accept from this socket: those that have it as their standard input, and of those that
 * `mayHold` says also who has it on any other descriptor. Most programs are given it as the former.
 */
export function processesOn(
  inode: string,
  mayHold: (stat: ProcessStat) => boolean = () => false,
): SocketHolder[] {
  return processesWhere(({ state }) => state !== "Z").flatMap((stat) => {
    if (socketAt(stat.pid, 0) === inode) return [{ ...stat, fd: 0 }];
    if (stat.pid === process.pid || !mayHold(stat)) return [];
    const held = [...(socketsOf(stat.pid) ?? [])].find(([, held]) => held === inode);
    return held === undefined ? [] : [{ ...stat, fd: held[0] }];
  });
}

/** Who holds one of these sockets, with the command line; root sees all, others only their own. */
export function holderOf(inodes: ReadonlySet<string>): { pid: number; command: string } | null {
  for (const pid of allPids()) {
    for (const inode of socketsOf(pid)?.values() ?? []) {
      if (inodes.has(inode)) return { pid, command: commandLine(pid) };
    }
  }
  return null;
}
