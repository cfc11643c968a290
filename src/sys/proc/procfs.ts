// What /proc tells of processes. Everything here is a look from outside: a process may
// be gone the moment after, so a missing file is an answer (null), never an error.

import { readdirSync } from "node:fs";
import { now } from "../clock.ts";
import { asOwnerOf } from "./eyes.ts";
import { argumentsOf } from "./memory.ts";
import { readText, TABLE_MOST } from "./proc-file.ts";
import { hasOtherThreads } from "./threads.ts";

/** A clock tick: USER_HZ is 100 on every machine that this runs on. */
export const TICK_MS = 10;

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
  /** How many it has; 1 for most. */
  readonly threads: number;
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
    threads: Number(fields[17]),
    startTime: Number(fields[19]),
  };
}

/** The same process as it is now; null when it has ended (a zombie has). */
export function stillThere({ pid, startTime }: ProcessId): ProcessStat | null {
  const stat = processStat(pid);
  return stat === null || stat.startTime !== startTime || stat.state === "Z" ? null : stat;
}

/** Milliseconds since it was started, to a hundredth of a second; null when the kernel does not tell. */
export function processAgeMs({ startTime }: ProcessId): number | null {
  const uptime = /^[0-9]+\.[0-9]+/.exec(readText("/proc/uptime") ?? "");
  if (uptime === null) return null;
  return Math.max(0, Math.round(Number(uptime[0]) * 1000) - startTime * TICK_MS);
}

/** Whether a process of this pid lives. A zombie does not, unless other threads of it still hold what it had open. */
export function lives(pid: number): boolean {
  const state = processStat(pid)?.state;
  return state !== undefined && (state !== "Z" || hasOtherThreads(pid));
}

/** Resident memory in bytes (VmRSS; what stat says of it is off by megabytes), or null when it is gone. */
export function residentBytes(pid: number): number | null {
  const kilobytes = /^VmRSS:\s*([0-9]+) kB/m.exec(readText(`/proc/${pid}/status`) ?? "");
  return kilobytes === null ? null : Number(kilobytes[1]) * 1024;
}

/** Memory in bytes that nobody shares with it (smaps_rollup); null when it is gone, or cannot be seen. */
export function privateBytes(pid: number): number | null {
  const text = asOwnerOf(pid, () => readText(`/proc/${pid}/smaps_rollup`));
  const parts = [...(text ?? "").matchAll(/^Private_(?:Clean|Dirty):\s*([0-9]+) kB/gm)];
  return parts.length === 0 ? null : parts.reduce((sum, [, kB]) => sum + Number(kB) * 1024, 0);
}

/** The kernel function a process waits in (proc(5), wchan); null when it does not wait or may not be seen. */
export function waitChannel(pid: number): string | null {
  const name = asOwnerOf(pid, () => readText(`/proc/${pid}/wchan`));
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
  const text = asOwnerOf(pid, () => readText(`/proc/${pid}/io`));
  const match = /^rchar: ([0-9]+)$/m.exec(text ?? "");
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

/** The command line, blanks between the words; the bare name for a process without one. */
export function commandLine(pid: number): string {
  const text = argumentsOf(pid);
  if (text === null) return processStat(pid)?.command ?? "?";
  return text.split("\0").filter(Boolean).join(" ");
}

/** Longest listen(2) backlog the kernel allows. */
export function maxBacklog(): number {
  return Number(readText("/proc/sys/net/core/somaxconn") ?? 128);
}

/** Children of a process, from the kernel's own list; null where it keeps none (CONFIG_PROC_CHILDREN). */
export function childrenOf(pid: number): number[] | null {
  const text = readText(`/proc/${pid}/task/${pid}/children`, TABLE_MOST);
  return text === null ? null : text.split(" ").filter(Boolean).map(Number);
}

interface ProcessTable {
  readonly beganAt: number;
  readonly takenAt: number;
  readonly costMs: number;
  readonly byGroup: ReadonlyMap<number, readonly ProcessStat[]>;
}

let table: ProcessTable | null = null;

/**
 * All processes of one process group, as they were after the moment `after` or are now. The whole of
 * /proc is read at most once in a few milliseconds, however many groups are looked at, and the dearer
 * that is the rarer, unless `after` asks for more.
 */
export function processGroup(pgid: number, after = 0): readonly ProcessStat[] {
  const time = now();
  const isOld = table === null || time - table.takenAt > Math.max(2, 3 * table.costMs);
  if (isOld || table!.beganAt < after) {
    const byGroup = Map.groupBy(
      processesWhere(() => true),
      (stat) => stat.group,
    );
    const endedAt = now();
    table = { beganAt: time, takenAt: endedAt, costMs: endedAt - time, byGroup };
  }
  return table!.byGroup.get(pgid) ?? [];
}
