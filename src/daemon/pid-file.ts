// The pid file: the number alone, as php-fpm has it. It may be a dead supervisor's, whose number
// somebody else has by now; it is removed only while it is ours.

import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { Fault } from "../fault.ts";
import { readOwnFile } from "../sys/own-file.ts";
import { lives } from "../sys/proc/procfs.ts";
import { writeOwnFile } from "../sys/replace-file.ts";

/** Writes it; the returned function removes it, if it is still ours. */
export function writePidFile(path: string | null): () => void {
  if (path === null) return () => {};
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeOwnFile(path, String(process.pid), 0o644);
  } catch (error) {
    throw new Fault("cannot write the pid file", {
      where: path,
      hint: "make its folder writable, or set another [supervisor] pid_file",
      cause: error,
    });
  }
  return () => {
    if (readPid(path) === String(process.pid)) rmSync(path, { force: true });
  };
}

/** A supervisor that was killed left its pid behind; whoever has that number now is somebody else. */
export function clearPidFile(path: string | null): void {
  const pid = path === null ? null : readPid(path);
  if (path === null || pid === null || lives(Number(pid))) return;
  rmSync(path, { force: true });
}

function readPid(path: string): string | null {
  try {
    return readOwnFile(path)?.trim() ?? null;
  } catch {
    // Not ours to look at, or not ours at all.
    return null;
  }
}
