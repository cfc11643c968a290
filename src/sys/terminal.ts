// Whether a descriptor is a terminal. process.stderr.isTTY tells it too, but opens a stream for it, which costs
// more than most of a command, and makes the terminal non-blocking.

import { libc } from "./libc.ts";

export const STDOUT = 1;
export const STDERR = 2;

/** isatty(3); false for a descriptor that is closed. */
export function isTerminal(fd: number): boolean {
  return libc.isatty(fd) === 1;
}
