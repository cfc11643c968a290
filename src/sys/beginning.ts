// The beginning of a file that may be anybody's: it is not waited for, and no more of it is read than asked.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;

/** At most so many bytes; null when it is no plain file, is not there, or is not ours to read. */
export function beginningOf(path: string, bytes: number): Uint8Array | null {
  let fd: number;
  try {
    // A pipe that nobody writes to would make open(2) itself wait.
    fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return null;
  }
  try {
    if (!fstatSync(fd).isFile()) return null;
    const place = new Uint8Array(bytes);
    return place.subarray(0, readSync(fd, place, 0, bytes, 0));
  } catch {
    return null;
  } finally {
    closeSync(fd);
  }
}
