// Letting go of the descriptors of who started us.

import { closeSync, openSync, writeSync } from "node:fs";
import { checked, libc } from "../libc.ts";

const STDOUT = 1;
const F_DUPFD_CLOEXEC = 1030;

/**
 * Puts /dev/null on standard output and error, so that what waits for their end can go on, and then writes
 * the last words to what was standard output: who reads them finds it done.
 */
export function detachOutput(lastWords: string): void {
  const reader = checked("fcntl", libc.fcntl(STDOUT, F_DUPFD_CLOEXEC, STDOUT));
  const nowhere = openSync("/dev/null", "r+");
  for (const fd of [1, 2]) checked("dup2", libc.dup2(nowhere, fd));
  closeSync(nowhere);
  writeSync(reader, lastWords);
  closeSync(reader);
}
