// Starting, signalling and reaping processes: the only door to Bun.spawn, kill(2) and waitpid(2).
// Children spawned here are reaped by Bun; orphans that come to us as their subreaper are reaped by
// pid, never by waitpid(-1), which would steal the exit of a child that Bun waits for.

import { closeSync, readFileSync, writeSync } from "node:fs";
import { constants } from "node:os";
import type { ProcessEnd } from "../event.ts";
import { after, yieldToEvents } from "./clock.ts";
import { noDearerThanOthers, ownKeyring, usualFiles } from "./exec/become.ts";
import { checked, cString, libc, ptr } from "./libc.ts";
import {
  childrenOf,
  type ProcessId,
  processesWhere,
  type ProcessStat,
  processStat,
} from "./proc/procfs.ts";

export type Signal = NodeJS.Signals;

export interface SpawnSpec {
  /** Program (absolute) and arguments. */
  readonly argv: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** As whom it runs, in no other group than this one; null = as this process. Only root can choose. */
  readonly identity?: { readonly uid: number; readonly gid: number } | null;
  /** Descriptor that becomes the child's standard input; null = /dev/null. */
  readonly stdin: number | null;
  /** Descriptor that becomes its standard output and error; null = /dev/null. */
  readonly output: number | null;
  /** Descriptor that becomes its descriptor 3; nothing unless given. */
  readonly third?: number;
  /** What it can read, of any length, on the first descriptor that is free then (`taskFd`); nothing unless given. */
  readonly task?: string;
  /** Folder of the control group that it begins in; ours unless given, or when the kernel refuses. */
  readonly controlGroup?: string;
}

/** Where a process that is given a task finds it. `hasThird`: whether descriptor 3 is something else. */
export function taskFd(hasThird: boolean): number {
  return hasThird ? 4 : 3;
}

/** As a file that such a process can open, which has no other third descriptor. */
export const TASK_PATH = `/proc/self/fd/${taskFd(false)}`;
const MFD_CLOEXEC = 1;

/** A file in memory with this text, at its beginning; to be closed when the process has it. */
function taskFile(text: string): number {
  const name = cString("fcgivisor-task");
  const fd = checked("memfd_create", libc.memfd_create(ptr(name), MFD_CLOEXEC));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, at);
  return fd;
}

/** The task that this process was given on this descriptor; null = none. It can be read once. */
export function takeTask(fd: number): string | null {
  try {
    const text = readFileSync(fd, "utf8");
    closeSync(fd);
    return text;
  } catch {
    // Nothing is open there, or nothing that can be read.
    return null;
  }
}

const ownChildren = new Set<number>();

/**
 * Starts a process in a session of its own (so that a terminal's Ctrl-C does not reach it, and its
 * group can be signalled as one). `onEnd` is called once, when it has been reaped.
 * Throws what the system says when the program cannot be started.
 */
export function spawn(spec: SpawnSpec, onEnd: (end: ProcessEnd) => void): ProcessId {
  const task = spec.task === undefined ? [] : [taskFile(spec.task)];
  try {
    return inControlGroup(spec, (group) => spawnWith(group, task, onEnd));
  } finally {
    task.forEach((fd) => closeSync(fd));
  }
}

/** A worker is wanted all the same when its control group cannot be had. */
function inControlGroup<T>(spec: SpawnSpec, start: (spec: SpawnSpec) => T): T {
  const { controlGroup, ...without } = spec;
  if (controlGroup === undefined) return start(spec);
  try {
    return start(spec);
  } catch {
    return start(without);
  }
}

function spawnWith(
  spec: SpawnSpec,
  task: readonly number[],
  onEnd: (end: ProcessEnd) => void,
): ProcessId {
  const { identity = null } = spec;
  const more = spec.third === undefined ? task : [spec.third, ...task];
  // It is inherited; what this process has joined before goes with the last who has it.
  if (identity !== null) ownKeyring();
  const child = Bun.spawn([...spec.argv], {
    ...surroundings(spec),
    stdio: [spec.stdin ?? "ignore", spec.output ?? "ignore", spec.output ?? "ignore", ...more],
    ...(spec.controlGroup === undefined ? {} : { cgroup: spec.controlGroup }),
    onExit(ended, code, signal) {
      ownChildren.delete(ended.pid);
      onEnd(
        signal !== null
          ? { how: "signaled", signal: signalName(signal) }
          : { how: "exited", code: code ?? 0 },
      );
    },
  });
  ownChildren.add(child.pid);
  if (identity !== null) setUsual(child.pid);
  return { pid: child.pid, startTime: processStat(child.pid)?.startTime ?? 0 };
}

/** What the shim does for others: none of it has to be there before the program runs. */
function setUsual(pid: number): void {
  try {
    usualFiles(pid);
    noDearerThanOthers(pid);
  } catch {
    // It has ended already, or the system refuses: a worker is wanted all the same.
  }
}

function surroundings({ env, cwd, identity }: Pick<SpawnSpec, "env" | "cwd" | "identity">) {
  return {
    env: { ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(identity ? { uid: identity.uid, gid: identity.gid } : {}),
    // setsid(2), before the program runs.
    detached: true,
  } as const;
}

function signalName(signal: number | string): string {
  if (typeof signal === "string") return signal;
  const found = Object.entries(constants.signals).find(([, number]) => number === signal);
  return found?.[0] ?? `signal ${signal}`;
}

/** Bytes of what a program prints that are taken; then it has nobody to write to. */
const PRINTED_MOST = 1024 * 1024;
/** So long after its end what it has printed is read; what it left in the background may hold its output for ever. */
const AFTER_END_MS = 1000;

/** What a program printed and how it ended; both streams together, cut at 64 KiB. */
export interface Captured {
  readonly output: string;
  /** What went wrong with it, as the end of a sentence; null = it exited with 0. */
  readonly failure: string | null;
}

/** Runs a program to its end with a closed stdin, for at most `timeoutMs` milliseconds. Throws what Bun.spawn throws. */
export async function capture(
  spec: Omit<SpawnSpec, "stdin" | "output">,
  timeoutMs: number,
): Promise<Captured> {
  const task = spec.task === undefined ? [] : [taskFile(spec.task)];
  const child = startCaptured(spec, task);
  let late = false;
  const cancel = after(timeoutMs, () => {
    late = true;
    signalGroup(child.pid, "SIGKILL");
  });
  ownChildren.add(child.pid);
  const over = new AbortController();
  const read = Promise.all([child.stdout, child.stderr].map((from) => printed(from, over.signal)));
  const code = await child.exited;
  const cancelEnd = after(AFTER_END_MS, () => void yieldToEvents().then(() => over.abort()));
  const [out, err] = await read;
  cancelEnd();
  ownChildren.delete(child.pid);
  cancel();
  const { signalCode } = child;
  const killed = late ? `did not end within ${timeoutMs / 1000} s` : `was killed by ${signalCode}`;
  const exited = code === 0 ? null : `failed with exit code ${code}`;
  const failure = signalCode === null ? exited : killed;
  return { output: `${err}${out}`.slice(0, 65536), failure };
}

/** All of it, or its beginning; until the end, or until `over`. */
async function printed(from: ReadableStream<Uint8Array>, over: AbortSignal): Promise<string> {
  const reader = from.getReader();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const aborted = new Promise<null>((resolve) => {
    if (over.aborted) resolve(null);
    over.addEventListener("abort", () => resolve(null), { once: true });
  });
  while (bytes < PRINTED_MOST) {
    const next = await Promise.race([reader.read(), aborted]);
    if (next === null || next.done) break;
    parts.push(next.value);
    bytes += next.value.length;
  }
  await reader.cancel().catch(() => {});
  return Buffer.concat(parts).toString("utf8");
}

function startCaptured(spec: Omit<SpawnSpec, "stdin" | "output">, task: readonly number[]) {
  try {
    return Bun.spawn([...spec.argv], {
      ...surroundings(spec),
      stdio: ["ignore", "pipe", "pipe", ...task],
    });
  } finally {
    task.forEach((fd) => closeSync(fd));
  }
}

/** Sends a signal to a process; false when there is none of that pid. */
export function sendSignal(pid: number, name: Signal): boolean {
  return libc.kill(pid, constants.signals[name]) === 0;
}

const SYS_TGKILL = process.arch === "arm64" ? 131 : 234;

/** Sends a signal to one thread of a process; false when there is none. */
export function signalThread(pid: number, thread: number, name: Signal): boolean {
  return Number(libc.syscall(SYS_TGKILL, pid, thread, constants.signals[name], 0, 0)) === 0;
}

/** Sends a signal to a whole process group; false when nobody is left in it. */
export function signalGroup(pgid: number, name: Signal): boolean {
  return libc.kill(-pgid, constants.signals[name]) === 0;
}

const WNOHANG = 1;

/** Reaps every dead child that was not spawned here: orphans that came to us as their subreaper. */
export function reapOrphans(): void {
  for (const { pid, state } of adopted()) if (state === "Z") libc.waitpid(pid, null, WNOHANG);
}

/**
 * The living orphans that this process adopted as their subreaper: what workers started in the
 * background. They hold the listening socket, which they inherited.
 */
export function orphans(): ProcessStat[] {
  return adopted().filter(({ state }) => state !== "Z");
}

/** An orphan becomes the child of its subreaper's first thread, whose list is read without a walk through /proc. */
function adopted(): ProcessStat[] {
  const { pid } = process;
  const children =
    childrenOf(pid)?.flatMap((child) => processStat(child) ?? []) ??
    processesWhere(({ parent }) => parent === pid);
  return children.filter((child) => !ownChildren.has(child.pid));
}

const PR_SET_CHILD_SUBREAPER = 36;

/** Makes orphaned descendants children of this process (prctl(2)). */
export function becomeSubreaper(): void {
  checked("prctl", libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
}

const PR_SET_PDEATHSIG = 1;

/** Has the kernel send SIGTERM to this process when its parent ends, in whatever way (prctl(2)). */
export function endWithParent(): void {
  const parent = process.ppid;
  checked("prctl", libc.prctl(PR_SET_PDEATHSIG, constants.signals.SIGTERM, 0, 0, 0));
  // It ended before it could be asked for: nobody else would tell.
  if (process.ppid !== parent) sendSignal(process.pid, "SIGTERM");
}

/** Calls back whenever a child changed state. The returned function ends it. */
export function onChildChange(callback: () => void): () => void {
  process.on("SIGCHLD", callback);
  return () => process.off("SIGCHLD", callback);
}
