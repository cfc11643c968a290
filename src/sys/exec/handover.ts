// Descriptors that outlive execve(2): the sockets, the lock and the old program itself are left open
// on purpose, and a variable tells the new program which is which. It is the text itself, or, where that
// is too long for a variable, the descriptor of a file in memory that holds it.

import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { checked, cString, libc, ptr } from "../libc.ts";
import { ownEnvironment } from "./self.ts";

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const VARIABLE = "FCGIVISOR_HANDOVER";
/** Bytes; execve(2) takes no variable of 128 KiB or more (MAX_ARG_STRLEN). */
const LONGEST_VARIABLE = 100_000;
const IN_MEMORY = /^fd:(\d+)$/;

export interface Handover {
  /** Tells one upgrade from another. */
  readonly id: string;
  /** The version that handed over. */
  readonly from: string;
  /** The program that handed over, to go back to; null when this is the way back. */
  readonly oldProgram: number | null;
  /** What the program that handed over was called with. */
  readonly words: readonly string[];
  readonly lock: number;
  /** What the state file says, for who knows its shape; the file itself may be spoilt. */
  readonly state: unknown;
  /** What was seen so far, for who knows its shape; a program of an earlier version hands over none. */
  readonly seen?: unknown;
  /** Listening sockets by inode. */
  readonly sockets: Readonly<Record<string, number>>;
  /** Why the upgrade failed, on the way back. */
  readonly failure?: string;
}

/** A descriptor of the running program's file, which stays even when the file is replaced. */
export function openOwnProgram(): number {
  return openSync("/proc/self/exe", "r");
}

/** The path that executes what a descriptor is of. */
export function programPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** What the next program gets; the descriptors are open for it. */
export interface HandedOver {
  readonly env: Readonly<Record<string, string>>;
  /** Takes the descriptors back, when the next program could not be executed. */
  readonly takeBack: () => void;
}

/** Leaves the descriptors open for the next program, and tells it of them. */
export function handOver(handover: Handover): HandedOver {
  const text = JSON.stringify(handover);
  const file = Buffer.byteLength(text) > LONGEST_VARIABLE ? fileInMemory(text) : null;
  for (const fd of descriptors(handover)) checked("fcntl", libc.fcntl(fd, F_SETFD, 0));
  return {
    env: {
      ...ownEnvironment(process.env),
      [VARIABLE]: file === null ? text : `fd:${file}`,
    },
    takeBack() {
      closeOnExec(handover);
      if (file !== null) closeSync(file);
    },
  };
}

/** Its descriptor, which outlives execve(2). */
function fileInMemory(text: string): number {
  const name = cString("fcgivisor-handover");
  const fd = checked("memfd_create", libc.memfd_create(ptr(name), 0));
  writeFileSync(fd, text);
  return fd;
}

function closeOnExec(handover: Handover): void {
  for (const fd of descriptors(handover)) libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/** What the program before this one handed over; null when there was none. Asked once. */
export function receiveHandover(): Handover | null {
  const text = process.env[VARIABLE];
  delete process.env[VARIABLE];
  if (text === undefined) return null;
  const handover = JSON.parse(textIn(text)) as Handover;
  closeOnExec(handover);
  return handover;
}

function textIn(variable: string): string {
  const fd = IN_MEMORY.exec(variable)?.[1];
  if (fd === undefined) return variable;
  try {
    // Opened anew, because who wrote it stands at its end.
    return readFileSync(`/proc/self/fd/${fd}`, "utf8");
  } finally {
    closeSync(Number(fd));
  }
}

/** Closes what is no longer needed once this program serves: sockets have been copied, the way back is over. */
export function closeHandover({ oldProgram, sockets }: Handover): void {
  for (const fd of [oldProgram, ...Object.values(sockets)]) if (fd !== null) libc.close(fd);
}

function descriptors({ oldProgram, lock, sockets }: Handover): number[] {
  return [...(oldProgram === null ? [] : [oldProgram]), lock, ...Object.values(sockets)];
}

/** A copy of a descriptor, close-on-exec. */
export function copyDescriptor(fd: number): number {
  const copy = checked("dup", libc.dup(fd));
  checked("fcntl", libc.fcntl(copy, F_SETFD, FD_CLOEXEC));
  return copy;
}
