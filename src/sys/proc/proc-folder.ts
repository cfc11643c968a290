// Folders of /proc whose entries are numbers: descriptors, threads. Never throws, and takes no more than was
// asked for: how much is there is the process's own business.

import { closeSync, constants, openSync } from "node:fs";
import { libc, ptr } from "../libc.ts";

const SYS_GETDENTS64 = process.arch === "arm64" ? 61 : 217;
const MOST = 1024;
/** Bytes that an entry takes at most: its head and a number of seven digits (linux/dirent.h). */
const ENTRY_BYTES = 32;
const ENTRY = { length: 16, name: 19 } as const;
const entries = new DataView(new ArrayBuffer(ENTRY_BYTES * (MOST + 2)));

/**
 * The numbers in a folder, in the kernel's order, the lowest first; at most so many, and 1024. null when it
 * cannot be read. One call (getdents64(2)) brings no more than there is room for: to list all would cost as
 * much as there is.
 */
export function numbersIn(path: string, most: number): number[] | null {
  let folder: number;
  try {
    folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch {
    return null;
  }
  try {
    const room = ENTRY_BYTES * (Math.min(most, MOST) + 2);
    const filled = Number(libc.syscall(SYS_GETDENTS64, folder, ptr(entries), room, 0, 0));
    return filled < 0 ? null : numbersAmong(filled).slice(0, most);
  } finally {
    closeSync(folder);
  }
}

/** Of the entries that take up so many bytes; `.` and `..` are none. */
function numbersAmong(filled: number): number[] {
  const numbers: number[] = [];
  for (let at = 0; at < filled; at += entries.getUint16(at + ENTRY.length, true)) {
    let number = 0;
    let i = at + ENTRY.name;
    for (let digit = entries.getUint8(i) - 48; digit >= 0 && digit <= 9;) {
      number = number * 10 + digit;
      digit = entries.getUint8(++i) - 48;
    }
    if (entries.getUint8(i) === 0 && i > at + ENTRY.name) numbers.push(number);
  }
  return numbers;
}
