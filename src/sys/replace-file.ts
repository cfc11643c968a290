// Small files of ours, written whole and renamed, so that they are never half there. No link is followed at
// their name.

import { closeSync, constants, openSync, renameSync, rmSync, writeFileSync } from "node:fs";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** The name under which it is written first. */
export function unfinishedName(path: string): string {
  return `${path}.new`;
}

/** Replaces the file. Throws what the system says (ENOSPC, for instance); the old one is then still whole. */
export function writeOwnFile(path: string, text: string, mode: number): void {
  const unfinished = unfinishedName(path);
  // Left by one that was killed, or planted: it goes, and whatever it leads to stays.
  rmSync(unfinished, { force: true });
  const fd = openSync(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  try {
    writeFileSync(fd, text);
  } finally {
    closeSync(fd);
  }
  renameSync(unfinished, path);
}
