// Reading another process's memory and program through /proc (proc(5)): needs the same user, or root.
// Both are that process's to shape: what is read is bounded, and nothing waits for what it maps.

import { closeSync, openSync, readlinkSync } from "node:fs";
import { now } from "../clock.ts";
import { asOwnerOf } from "./eyes.ts";
import { readText, TABLE_MOST } from "./proc-file.ts";
import { type Range, timedRead, timedReads } from "./timed-read.ts";

/** Where the program's own file is mapped from its first byte; null when that cannot be seen. */
export function loadAddress(pid: number): number | null {
  try {
    const program = asOwnerOf(pid, () => readlinkSync(programFile(pid)));
    // The program itself is mapped first. A process that waits for a page with its map locked lets nobody read it.
    const maps = (timedText(pid, "maps", MAPS_MOST) ?? "").split("\n");
    const first = maps.find((line) => / 0+ \S+ \d+ +/.test(line) && line.endsWith(program));
    return first === undefined ? null : Number.parseInt(first, 16);
  } catch {
    // Gone, or no right to look.
    return null;
  }
}

/** Where memory begins that a process shares with those it has forked, and that is no file; none when that cannot be seen. */
export function sharedMappings(pid: number): number[] {
  const lines = (timedText(pid, "maps", MAPS_MOST, MAPS_PAGES) ?? "").split("\n");
  const shared = lines.filter((line) => / rw-s .*\/dev\/zero \(deleted\)$/.test(line));
  return shared.slice(0, SHARED_MOST).map((line) => Number.parseInt(line, 16));
}

/** A path to the program that a process runs, also when its file is gone. */
function programFile(pid: number): string {
  return `/proc/${pid}/exe`;
}

const O_PATH = 0o10000000;

/**
 * A descriptor of the program that a process runs; null when it may not be read, or is on a file system
 * that a user provides (FUSE) or that is mounted nowhere where we are: such a one may never answer.
 */
export function openProgram(pid: number): number | null {
  try {
    // Names the file without asking its file system.
    const path = asOwnerOf(pid, () => openSync(programFile(pid), O_PATH));
    try {
      return answers(path, pid) ? openSync(`/proc/self/fd/${path}`, "r") : null;
    } finally {
      closeSync(path);
    }
  } catch {
    // No right to look at another user's program, or it is gone.
    return null;
  }
}

/**
 * Whether the file system of a descriptor is one of this machine's own. A process with a table of mounts of
 * its own (`private_tmp`) has others, of the same devices (proc_pid_mountinfo(5)).
 */
function answers(fd: number, pid: number): boolean {
  const mount = /^mnt_id:\s*([0-9]+)$/m.exec(readText(`/proc/self/fdinfo/${fd}`) ?? "")?.[1];
  const ours = mountsOf("self");
  const of = (mounts: readonly string[]) => mounts.find((line) => line.startsWith(`${mount} `));
  const device = (of(ours) ?? of(mountsOf(pid)))?.split(" ")[2];
  const line = ours.find((each) => each.split(" ")[2] === device);
  const type = line === undefined ? undefined : / - (\S+)/.exec(line)?.[1];
  return type !== undefined && !type.startsWith("fuse");
}

/** Our own are as many as there are; another process may have mounted what it likes, in a table of its own. */
function mountsOf(pid: number | "self"): string[] {
  const most = pid === "self" ? TABLE_MOST : OTHERS_MOUNTS_MOST;
  return (readText(`/proc/${pid}/mountinfo`, most) ?? "").split("\n");
}

/** Bytes; the last line may be cut, and then is no mount. */
const OTHERS_MOUNTS_MOST = 1024 * 1024;

export interface ProcessMemory {
  /** Exactly so many bytes, or null when they are not mapped, or nobody brings them. */
  read(address: number, length: number): Uint8Array | null;
  /** The same for several ranges, one straight after the other. */
  readAll(ranges: readonly Range[]): readonly (Uint8Array | null)[];
}

/** Hands the memory of a process to `look`; null when it may not be read. */
export function withMemory<T>(pid: number, look: (memory: ProcessMemory) => T): T | null {
  let fd: number;
  try {
    fd = asOwnerOf(pid, () => openSync(`/proc/${pid}/mem`, "r"));
  } catch {
    return null;
  }
  const memory = new OpenMemory(fd);
  try {
    return look(memory);
  } finally {
    if (!memory.isStuck) closeSync(fd);
  }
}

/** Milliseconds that one look may wait in all, each read a little. */
const LOOK_MOST_MS = 200;

class OpenMemory implements ProcessMemory {
  private readonly fd: number;
  private waitedMs = 0;
  /** Nobody brings what was asked for: nothing more is, and the descriptor is in use. */
  isStuck = false;

  constructor(fd: number) {
    this.fd = fd;
  }

  read(address: number, length: number): Uint8Array | null {
    return this.readAll([{ offset: address, length }])[0]!;
  }

  readAll(ranges: readonly Range[]): readonly (Uint8Array | null)[] {
    const isPlace = ({ offset, length }: Range) =>
      Number.isSafeInteger(offset) && offset >= 0 && length > 0;
    const isOver = this.isStuck || this.waitedMs > LOOK_MOST_MS;
    if (isOver || !ranges.every(isPlace)) return ranges.map(() => null);
    const since = now();
    const reads = timedReads(this.fd, ranges);
    this.waitedMs += now() - since;
    this.isStuck = reads.some(({ got }) => got === "stuck");
    return reads.map((read, i) =>
      read.got === "bytes" && read.bytes.length === ranges[i]!.length ? read.bytes : null,
    );
  }
}

/** The words a process was started with, in its own memory; null when it is gone or does not let them be read. */
export function argumentsOf(pid: number): string | null {
  return timedText(pid, "cmdline", ARGUMENTS_MOST);
}

/**
 * At most so many bytes of a file of /proc behind which is memory of another process. The kernel gives a page at a time
 * of some: `pages` are read one after the other, until there is no more.
 */
function timedText(pid: number, name: string, most: number, pages = 1): string | null {
  let fd: number;
  try {
    fd = asOwnerOf(pid, () => openSync(`/proc/${pid}/${name}`, "r"));
  } catch {
    return null;
  }
  let text: string | null = null;
  for (let page = 0; page < pages; page++) {
    const read = timedRead(fd, text?.length ?? 0, most);
    if (read.got === "stuck") return null;
    if (read.got === "nothing" || read.bytes.length === 0) break;
    text = `${text ?? ""}${Buffer.from(read.bytes).toString("latin1")}`;
  }
  closeSync(fd);
  return text;
}

/** Bytes; a longer one is cut. */
const ARGUMENTS_MOST = 65_536;
const MAPS_MOST = 4096;
/** PHP with its libraries has seven. */
const MAPS_PAGES = 64;
const SHARED_MOST = 16;
