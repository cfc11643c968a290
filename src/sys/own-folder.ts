// Folders of ours: one that is this user's and nobody else's is held by a descriptor while it is looked into, so that
// what is put in its place meanwhile is not met; one that is empty can go.

import { closeSync, constants, fstatSync, openSync, rmdirSync } from "node:fs";

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * Hands a path to the folder itself, whatever its name leads to by now, to `look`. null: it is another's, others may
 * look into it, it is a link, or it is gone.
 */
export function withOwnFolder<T>(path: string, look: (inside: string) => T): T | null {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch {
    return null;
  }
  try {
    const { uid, mode } = fstatSync(fd);
    const isOwn = uid === process.geteuid!() && (mode & 0o077) === 0;
    return isOwn ? look(`/proc/self/fd/${fd}`) : null;
  } finally {
    closeSync(fd);
  }
}

/** Removes a folder that nothing is left in. */
export function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Not empty, or already gone.
  }
}
