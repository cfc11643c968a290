// Reading another process's memory through /proc (proc(5)): needs the same user, or root.

import { closeSync, openSync, readlinkSync, readSync } from "node:fs";
import { readText } from "./proc-file.ts";

/** Where the program's own file is mapped from its first byte; null when that cannot be seen. */
export function loadAddress(pid: number): number | null {
  try {
    const program = readlinkSync(programFile(pid));
    // The program itself is mapped first.
    const maps = (readText(`/proc/${pid}/maps`) ?? "").split("\n");
    const first = maps.find((line) => / 0+ \S+ \d+ +/.test(line) && line.endsWith(program));
    return first === undefined ? null : Number.parseInt(first, 16);
  } catch {
    // Gone, or no right to look.
    return null;
  }
}

/** A path to the program that a process runs, also when its file is gone. */
export function programFile(pid: number): string {
  return `/proc/${pid}/exe`;
}

export interface ProcessMemory {
  /** Exactly so many bytes, or null when they are not mapped. */
  read(address: number, length: number): Uint8Array | null;
}

/** Hands the memory of a process to `look`; null when it may not be read. */
export function withMemory<T>(pid: number, look: (memory: ProcessMemory) => T): T | null {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/mem`, "r");
  } catch {
    return null;
  }
  try {
    return look({
      read(address, length) {
        const bytes = new Uint8Array(length);
        try {
          return readSync(fd, bytes, 0, length, address) === length ? bytes : null;
        } catch {
          // EIO: nothing is mapped there.
          return null;
        }
      },
    });
  } finally {
    closeSync(fd);
  }
}
