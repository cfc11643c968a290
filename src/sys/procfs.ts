// What /proc tells of processes and sockets. Everything here is a look from outside: a process may
// be gone the moment after, so a missing file is an answer (null), never an error.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { now } from "./clock.ts";

/** A pid alone may be used again by another process; with its start time it names one for ever. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks after boot (proc(5), stat field 22). */
  readonly startTime: number;
}

export interface ProcessStat extends ProcessId {
  readonly command: string;
  /** One letter: R S D Z T … (proc(5)). */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  /** Pages it has touched that the kernel had to give it or copy for it, without the disk (minflt). */
  readonly pageFaults: number;
  /** CPU time used, user and system, in clock ticks. */
  readonly cpuTicks: number;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // ENOENT, ESRCH: gone. EACCES, EPERM: not ours to see. All mean "cannot be told".
    return null;
  }
}

export function processStat(pid: number): ProcessStat | null {
  const text = readText(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The command stands in parentheses and may itself hold blanks and parentheses.
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  return {
    pid,
    command: text.slice(open + 1, close),
    state: fields[0]!,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    pageFaults: Number(fields[7]),
    cpuTicks: Number(fields[11]) + Number(fields[12]),
    startTime: Number(fields[19]),
  };
}

/** Whether a process of this pid lives (a zombie does not). */
export function lives(pid: number): boolean {
  const state = processStat(pid)?.state;
  return state !== undefined && state !== "Z";
}

/** Resident memory in bytes (VmRSS), or null when the process is gone. */
export function residentBytes(pid: number): number | null {
  const kilobytes = /^VmRSS:\s*([0-9]+) kB/m.exec(readText(`/proc/${pid}/status`) ?? "");
  return kilobytes === null ? null : Number(kilobytes[1]) * 1024;
}

/** The kernel function a process waits in (proc(5), wchan); null when it does not wait or may not be seen. */
export function waitChannel(pid: number): string | null {
  const name = readText(`/proc/${pid}/wchan`);
  return name === null || name === "" || name === "0" ? null : name;
}

/** Whether a process has ever waited for something, such as a connection; null when it is gone. */
export function hasWaited(pid: number): boolean | null {
  const times = /^voluntary_ctxt_switches:\s*([0-9]+)$/m.exec(
    readText(`/proc/${pid}/status`) ?? "",
  );
  return times === null ? null : Number(times[1]) > 0;
}

/**
 * Bytes read in all (proc(5), io: rchar) by a process and by the children that it has waited for; null
 * when that cannot be seen.
 */
export function bytesRead(pid: number): number | null {
  const match = /^rchar: ([0-9]+)$/m.exec(readText(`/proc/${pid}/io`) ?? "");
  return match === null ? null : Number(match[1]);
}

/** Every pid there is, in ascending order. */
export function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => name.charCodeAt(0) >= 48 && name.charCodeAt(0) <= 57)
    .map(Number)
    .sort((a, b) => a - b);
}

/** The processes with this parent or in this process group. */
export function processesWhere(wanted: (stat: ProcessStat) => boolean): ProcessStat[] {
  const found: ProcessStat[] = [];
  for (const pid of allPids()) {
    const stat = processStat(pid);
    if (stat !== null && wanted(stat)) found.push(stat);
  }
  return found;
}

/** The system call a process waits in, with its first argument; null when it runs or cannot be seen. */
export function currentSyscall(pid: number): { number: number; fd: number } | "running" | null {
  const text = readText(`/proc/${pid}/syscall`);
  if (text === null || text === "") return null;
  if (text.startsWith("running")) return "running";
  const [number, first] = text.split(" ");
  return { number: Number(number), fd: Number(first) };
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
  for (const name of names) {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${name}`);
      if (target.startsWith("socket:[")) sockets.set(Number(name), target.slice(8, -1));
    } catch (error) {
      // Root without CAP_SYS_PTRACE may list another user's descriptors, but not look at them.
      if ((error as { code?: string }).code === "EACCES") return null;
      // Closed between the listing and the look.
    }
  }
  return sockets;
}

/** The command line, blanks between the words; the bare name for a process without one. */
export function commandLine(pid: number): string {
  const text = readText(`/proc/${pid}/cmdline`);
  if (text === null || text === "") return processStat(pid)?.command ?? "?";
  return text.split("\0").filter(Boolean).join(" ");
}

/** The inode of a listening TCP socket on this port (hexadecimal as in /proc/net/tcp), or of none. */
export function listeningInodes(
  matches: (localAddress: string) => boolean,
  file: "tcp" | "tcp6",
): string[] {
  const LISTEN = "0A";
  const rows = (readText(`/proc/net/${file}`) ?? "").split("\n").slice(1);
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((row) => row[3] === LISTEN && matches(row[1]!))
    .map((row) => row[9]!);
}

/** Inodes of Unix sockets bound to this path (the accepted connections of a listener show it too). */
export function unixInodes(path: string): string[] {
  const rows = (readText("/proc/net/unix") ?? "").split("\n").slice(1);
  return rows.filter((row) => row.endsWith(` ${path}`)).map((row) => row.trim().split(/\s+/)[6]!);
}

/** Inodes of established TCP connections whose own end is this port (accepted by its listener). */
export function acceptedTcpInodes(port: number, file: "tcp" | "tcp6"): string[] {
  const LISTEN = "0A";
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = (readText(`/proc/net/${file}`) ?? "").split("\n").slice(1);
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((row) => row[1]?.endsWith(suffix) === true && row[3] !== LISTEN)
    .map((row) => row[9]!);
}

/** Processes whose standard input is this socket: the workers that accept from it, and their leaders. */
export function processesOn(inode: string): ProcessStat[] {
  const wanted = `socket:[${inode}]`;
  return processesWhere(
    ({ pid, state }) => state !== "Z" && linkOf(`/proc/${pid}/fd/0`) === wanted,
  );
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    // Gone, or no right to look.
    return null;
  }
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

/** Longest listen(2) backlog the kernel allows. */
export function maxBacklog(): number {
  return Number(readText("/proc/sys/net/core/somaxconn") ?? 128);
}

/** Children of a process, from the kernel's own list; null where it keeps none (CONFIG_PROC_CHILDREN). */
export function childrenOf(pid: number): number[] | null {
  const text = readText(`/proc/${pid}/task/${pid}/children`);
  return text === null ? null : text.split(" ").filter(Boolean).map(Number);
}

interface ProcessTable {
  readonly takenAt: number;
  readonly costMs: number;
  readonly byGroup: ReadonlyMap<number, readonly ProcessStat[]>;
}

let table: ProcessTable | null = null;

/**
 * All processes of one process group. The whole of /proc is read at most once in a few
 * milliseconds, however many groups are looked at, and the dearer that is the rarer; `fresh` reads
 * it now.
 */
export function processGroup(pgid: number, fresh = false): readonly ProcessStat[] {
  const time = now();
  if (fresh || table === null || time - table.takenAt > Math.max(2, 3 * table.costMs)) {
    const byGroup = Map.groupBy(
      processesWhere(() => true),
      (stat) => stat.group,
    );
    const takenAt = now();
    table = { takenAt, costMs: takenAt - time, byGroup };
  }
  return table.byGroup.get(pgid) ?? [];
}
