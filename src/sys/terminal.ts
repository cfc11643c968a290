// Whether a descriptor is a terminal. process.stdout.isTTY and process.stderr.isTTY tell it too, but open a stream
// for it, which costs more than most of a command, and make the terminal non-blocking.

import { libc, ptr } from "./libc.ts";

export const STDOUT = 1;
export const STDERR = 2;

/** isatty(3); false for a descriptor that is closed. */
export function isTerminal(fd: number): boolean {
  return libc.isatty(fd) === 1;
}

const TIOCGWINSZ = 0x5413n;

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** ioctl_tty(2); null for what is no terminal, or does not know its size. */
export function terminalSize(fd: number): TerminalSize | null {
  const size = new Uint16Array(4);
  if (libc.ioctl(fd, TIOCGWINSZ, ptr(size)) !== 0) return null;
  const [rows = 0, columns = 0] = size;
  return rows > 0 && columns > 0 ? { rows, columns } : null;
}
