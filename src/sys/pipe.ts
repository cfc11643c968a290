// A pipe whose one end becomes a child's standard input, and the other stays here: closed at an exec, and
// a write to it never waits for the reader.

import { checked, libc, ptr } from "./libc.ts";

const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const F_SETFL = 4;

/** Throws the SysError when no descriptor is left. */
export function openPipe(): { readonly readEnd: number; readonly writeEnd: number } {
  const ends = new Int32Array(2);
  checked("pipe2", libc.pipe2(ptr(ends), O_CLOEXEC));
  const [readEnd, writeEnd] = [ends[0]!, ends[1]!];
  checked("fcntl", libc.fcntl(writeEnd, F_SETFL, O_NONBLOCK));
  return { readEnd, writeEnd };
}
