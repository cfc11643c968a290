// What the tests see of processes: /proc, read on its own account, so that a mistake in the program's
// own reading of /proc cannot hide itself.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Where a service listens: a TCP port on an address, or the path of a Unix socket. */
export type Where = { readonly host: string; readonly port: number } | { readonly path: string };

/** All process ids of the machine. */
export function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** A file of /proc/PID as text; "" when the process is gone or not ours to read. */
export function procText(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

/**
 * True while the process lives; a zombie does not. Killed, its first thread may be one while others still hold
 * its sockets.
 */
export function alive(pid: number): boolean {
  return threadIdsOf(pid).some((thread) => {
    const stat = procText(pid, `task/${thread}/stat`);
    const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
    return stat !== "" && state !== "Z" && state !== "X";
  });
}

function threadIdsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** One line of /proc/PID/status, such as "Uid" or "SigBlk"; "" when absent. */
export function statusField(pid: number, field: string): string {
  const line = procText(pid, "status")
    .split("\n")
    .find((l) => l.startsWith(`${field}:`));
  return line === undefined ? "" : line.slice(field.length + 1).trim();
}

/** A soft limit as /proc/PID/limits shows it, such as "Max open files". */
export function softLimit(pid: number, limit: string): string {
  const line = procText(pid, "limits")
    .split("\n")
    .find((l) => l.startsWith(limit));
  return line === undefined ? "" : line.slice(limit.length).trim().split(/\s+/)[0]!;
}

export function parentOf(pid: number): number {
  return Number(statusField(pid, "PPid"));
}

export function childrenOf(pid: number): number[] {
  return allPids().filter((other) => parentOf(other) === pid && alive(other));
}

export function commandOf(pid: number): string[] {
  return procText(pid, "cmdline").split("\0").slice(0, -1);
}

/** The environment the process was started with. */
export function environmentOf(pid: number): Record<string, string> {
  const pairs = procText(pid, "environ").split("\0").slice(0, -1);
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
}

/** Link target of a name below /proc/PID ("cwd", "exe", "root", "fd/0"); "" when unreadable. */
export function procLink(pid: number, name: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return "";
  }
}

/** Open file descriptors, number to link target. */
export function descriptorsOf(pid: number): Map<number, string> {
  let names: string[] = [];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    // gone
  }
  return new Map(names.map((fd) => [Number(fd), procLink(pid, `fd/${fd}`)]));
}

/** A field of /proc/PID/stat, numbered as in proc(5), from 3 on. */
function statField(pid: number, number: number): number {
  const stat = procText(pid, "stat");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[number - 3]);
}

export function niceOf(pid: number): number {
  return statField(pid, 19);
}

/** A tick of the clock that the kernel shows times in, on every Linux. */
const TICK_MS = 10;

/** When the process was started: milliseconds on the clock of `sinceBoot`. */
export function startedAt(pid: number): number {
  return statField(pid, 22) * TICK_MS;
}

/** CPU time that the process has used so far, in milliseconds. */
export function cpuMsOf(pid: number): number {
  return (statField(pid, 14) + statField(pid, 15)) * TICK_MS;
}

/** Milliseconds since the machine was started. */
export function sinceBoot(): number {
  return Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1_000;
}

/** Names of its threads. */
export function threadsOf(pid: number): string[] {
  const read = (task: string) => readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").trim();
  return readdirSync(`/proc/${pid}/task`).map(read);
}

/**
 * kB, its share of what it has together with others (PSS), or the part of that which is no file's and so cannot be
 * read again (proc_pid_smaps_rollup); 0 when it is gone.
 */
export function pssOf(pid: number, part: "Pss" | "Pss_Anon" = "Pss"): number {
  const rollup = procText(pid, "smaps_rollup");
  return Number(new RegExp(`^${part}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0);
}

/** Resident memory in kB. */
export function rssOf(pid: number): number {
  return Number(statusField(pid, "VmRSS").split(" ")[0]);
}

const LISTEN = "0A";

/** Inodes of the listening sockets on a TCP port, any address. */
export function tcpListeners(port: number): string[] {
  return ["tcp", "tcp6"].flatMap((table) =>
    readTable(table)
      .filter(
        (row) => row[3] === LISTEN && Number.parseInt(row[1]!.split(":").at(-1)!, 16) === port,
      )
      .map((row) => row[9]!),
  );
}

/** Inodes of the sockets that listen on a Unix path, or anywhere below a directory. */
export function unixListeners(path: string): string[] {
  const acceptsFlag = 0x10000;
  return readTable("unix")
    .filter((row) => (Number.parseInt(row[3]!, 16) & acceptsFlag) !== 0)
    .filter((row) => row[7] === path || row[7]?.startsWith(`${path}/`) === true)
    .map((row) => row[6]!);
}

/** How many connections the socket that listens on a Unix path has accepted, and that are open still. */
export function unixConnections(path: string): number {
  const connected = "03";
  return readTable("unix").filter((row) => row[5] === connected && row[7] === path).length;
}

/** The rows of a table of /proc/net, each as its columns. */
export function readTable(name: string): string[][] {
  const text = readFileSync(`/proc/net/${name}`, "utf8");
  return text
    .split("\n")
    .slice(1)
    .filter((line) => line !== "")
    .map((line) => line.trim().split(/\s+/));
}

/**
 * Workers and leaders on one of these sockets, and what scripts started: they have it on their fd 0, php-fpm's
 * and theirs on any other. (So have the supervisor and systemd, which are none.)
 */
export function holdersOf(inodes: readonly string[]): number[] {
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
  return allPids().filter((pid) => holds(pid, wanted) && alive(pid));
}

function holds(pid: number, sockets: ReadonlySet<string>): boolean {
  if (sockets.has(procLink(pid, "fd/0"))) return true;
  if (/^(fcgivisor|bun|systemd)/.test(procText(pid, "comm"))) return false;
  if (pid === 1 || commandOf(pid)[1] === "run") return false;
  return [...descriptorsOf(pid).values()].some((target) => sockets.has(target));
}

export function listenersAt(where: Where): string[] {
  return "path" in where ? unixListeners(where.path) : tcpListeners(where.port);
}

/** False until a process that is going to be a worker has become the worker's program. */
function isProgram(command: readonly string[]): boolean {
  return command.length > 0 && command[1] !== "worker-shim";
}

/** The pids that serve an address, leaders of groups not counted. */
export function workersAt(where: Where): number[] {
  const holders = holdersOf(listenersAt(where));
  const parents = new Set(holders.map(parentOf));
  return holders.filter((pid) => !parents.has(pid) && isProgram(commandOf(pid)));
}

/** The leaders of groups at an address: those whose children hold the same socket. */
export function leadersAt(where: Where): number[] {
  const holders = holdersOf(listenersAt(where));
  const parents = new Set(holders.map(parentOf));
  return holders.filter((pid) => parents.has(pid));
}
