// What /proc tells of sockets: who holds which, and what the kernel's tables say of them. A socket goes by
// its inode, whatever descriptor it is in whatever process. A look from outside never throws.

import { readlinkSync } from "node:fs";
import { cString, errno, libc, ptr } from "../libc.ts";
import { asOwnerOf } from "./eyes.ts";
import { readText, TABLE_MOST } from "./proc-file.ts";
import { numbersIn } from "./proc-folder.ts";
import { allPids, commandLine, type ProcessStat, processesWhere } from "./procfs.ts";

/** Descriptors of one process that are looked at, the lowest ones: a worker may have as many as it likes. */
const DESCRIPTORS_MOST = 1024;

/** The inode of the socket that a descriptor of a process is; null when it is none, or cannot be seen. */
export function socketAt(pid: number, fd: number): string | null {
  try {
    return inodeIn(asOwnerOf(pid, () => readlinkSync(`/proc/${pid}/fd/${fd}`)));
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
  return asOwnerOf(pid, () => socketsAmong(pid));
}

function socketsAmong(pid: number): Map<number, string> | null {
  const descriptors = numbersIn(`/proc/${pid}/fd`, DESCRIPTORS_MOST);
  if (descriptors === null) return null;
  const sockets = new Map<number, string>();
  for (const fd of descriptors) {
    const link = linkAt(`/proc/${pid}/fd/${fd}`);
    // Root without CAP_SYS_PTRACE may list another user's descriptors, but not look at them.
    if (link === "forbidden") return null;
    const inode = link === null ? null : inodeIn(link);
    if (inode !== null) sockets.set(fd, inode);
  }
  return sockets;
}

const linkText = new Uint8Array(256);
const EACCES = 13;

/** Where a link leads, its beginning; null when there is none. An exception for each hole would be dear. */
function linkAt(path: string): string | "forbidden" | null {
  const name = cString(path);
  const length = Number(libc.readlink(ptr(name), ptr(linkText), linkText.length));
  if (length >= 0) return Buffer.from(linkText.buffer, 0, length).toString("latin1");
  return errno() === EACCES ? "forbidden" : null;
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

/** The flag __SO_ACCEPTCON in the fourth column: the socket listens. */
const ACCEPTING = "00010000";

/** Of those the ones that listen, and no accepted connection. */
export function listeningUnixInodes(path: string): string[] {
  const all = new Set(unixInodes(path));
  return tableLines("unix").flatMap((line) => {
    const [, , , flags, , , inode = ""] = line.trim().split(/ +/);
    return flags === ACCEPTING && all.has(inode) ? [inode] : [];
  });
}

/** Inodes of the Unix sockets bound to each path. */
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

function grouped<K, V>(pairs: readonly (readonly [K, V])[]): ReadonlyMap<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const [key, value] of pairs) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
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

/** Who may hold a socket on another descriptor than standard input. */
export interface MayHold {
  /** Those with this name; null = nobody by name; "anybody" = whoever has it. */
  readonly command: string | "anybody" | null;
  /** Those in one of these process groups. */
  readonly groups: readonly number[];
}

type ByInode = ReadonlyMap<string, readonly SocketHolder[]>;

/**
 * Who holds which socket, and all processes there are, at the moment it is first asked. It reads nothing
 * twice, however many sockets are asked for; a moment later another one tells the truth.
 */
export class SocketHolders {
  private living: readonly ProcessStat[] | null = null;
  private groups: ReadonlyMap<number, readonly ProcessStat[]> | null = null;
  private onInput: ByInode | null = null;
  private readonly byCommand = new Map<string, ByInode>();

  /** Those of a process group that live. */
  inGroup(group: number): readonly ProcessStat[] {
    this.groups ??= grouped(this.processes.map((stat) => [stat.group, stat]));
    return this.groups.get(group) ?? [];
  }

  /**
   * Processes that accept from this socket: those that have it as their standard input, and of those that
   * may hold it also who has it on any other descriptor. Most programs are given it as the former.
   */
  of(inode: string, { command, groups }: MayHold = NOBODY): SocketHolder[] {
    const named = command === null ? [] : (this.named(command).get(inode) ?? []);
    const members = groups.flatMap((group) => this.inGroup(group));
    const inGroups = members.flatMap((stat) => holdings(stat).filter(([held]) => held === inode));
    const all = [...this.inputs(inode), ...named, ...inGroups.map(([, holder]) => holder)];
    return [...new Map(all.toReversed().map((holder) => [holder.pid, holder])).values()].reverse();
  }

  /** The names of all processes. */
  get commands(): readonly string[] {
    return [...new Set(this.processes.map(({ command }) => command))];
  }

  private get processes(): readonly ProcessStat[] {
    return (this.living ??= processesWhere(({ state }) => state !== "Z"));
  }

  private inputs(inode: string): readonly SocketHolder[] {
    this.onInput ??= grouped(
      this.processes.flatMap((stat) => {
        const input = socketAt(stat.pid, 0);
        return input === null ? [] : [[input, { ...stat, fd: 0 }] as const];
      }),
    );
    return this.onInput.get(inode) ?? [];
  }

  private named(command: string): ByInode {
    const known = this.byCommand.get(command);
    if (known !== undefined) return known;
    const processes = this.processes.filter(
      (stat) => command === ANYBODY.command || stat.command === command,
    );
    const found: ByInode = grouped(processes.flatMap(holdings));
    this.byCommand.set(command, found);
    return found;
  }
}

const NOBODY: MayHold = { command: null, groups: [] };
/** What scripts started has the socket on whatever descriptor the worker had it. All descriptors there are are read. */
export const ANYBODY: MayHold = { command: "anybody", groups: [] };

/** The sockets that a process holds, the lowest descriptor first; this process's own do not count. */
function holdings(stat: ProcessStat): (readonly [inode: string, holder: SocketHolder])[] {
  if (stat.pid === process.pid) return [];
  return [...(socketsOf(stat.pid) ?? [])]
    .toSorted(([a], [b]) => a - b)
    .map(([fd, inode]) => [inode, { ...stat, fd }]);
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
