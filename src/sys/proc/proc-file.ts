// Reading a file of /proc. Never throws, and how much is read is bounded: what stands there may be
// another user's to make longer.

import { closeSync, openSync, readSync } from "node:fs";

/** Bytes of a file of one process; each has fewer, but for a command line. */
const FILE_MOST = 65_536;
/** Bytes of a table that grows with the machine. */
export const TABLE_MOST = 256 * 1024 * 1024;
const chunk = Buffer.allocUnsafe(FILE_MOST);

/** A file of /proc as text, or its beginning; null when it is not there, or not ours to read. */
export function readText(path: string, most = FILE_MOST): string | null {
  try {
    const fd = openSync(path, "r");
    try {
      return readFrom(fd, most);
    } finally {
      closeSync(fd);
    }
  } catch {
    // ENOENT, ESRCH: gone. EACCES, EPERM: not ours to see. All mean "cannot be told".
    return null;
  }
}

function readFrom(fd: number, most: number): string {
  let text = "";
  while (text.length < most) {
    const length = readSync(fd, chunk, 0, Math.min(FILE_MOST, most - text.length), null);
    if (length === 0) break;
    text += chunk.toString("latin1", 0, length);
    // What is of one process comes as a whole; a table comes page by page.
    if (most === FILE_MOST && length < FILE_MOST) break;
  }
  return text;
}
