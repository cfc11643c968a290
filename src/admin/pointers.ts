// Leaves, and removes, the small files that lead from a config to its supervisor's socket (pointer.ts reads them).

import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { removeIfEmpty } from "../sys/own-folder.ts";
import { writeOwnFile } from "../sys/replace-file.ts";
import { refuseExposed } from "../sys/trust.ts";
import { folder, namesOf, pointerFile, readPointer } from "./pointer.ts";

/** Leaves pointers from the config to the socket; returns what removes them again. */
export function leavePointer(defaultStateDir: string, config: string, socket: string): () => void {
  mkdirSync(folder(defaultStateDir), { recursive: true, mode: 0o755 });
  refuseExposed(
    folder(defaultStateDir),
    "the folder for pointers",
    "remove it, or give it to root",
  );
  removeStale(defaultStateDir);
  const files = namesOf(config).map((name) => pointerFile(defaultStateDir, name));
  for (const file of files) writeOwnFile(file, `${socket}\n`, 0o644);
  return () => removePointers(defaultStateDir, files, socket);
}

/** Those of supervisors that died, and whose sockets are gone. */
function removeStale(defaultStateDir: string): void {
  for (const name of readdirSync(folder(defaultStateDir))) {
    const file = join(folder(defaultStateDir), name);
    const socket = readPointer(file);
    if (socket === null || !existsSync(socket)) rmSync(file, { force: true });
  }
}

/** Removes the pointers of this config whose sockets are gone, as far as this user may. */
export function forgetStale(defaultStateDir: string, config: string): void {
  for (const name of namesOf(config)) {
    const file = pointerFile(defaultStateDir, name);
    const socket = readPointer(file);
    if (socket === null || existsSync(socket)) continue;
    try {
      removePointers(defaultStateDir, [file], socket);
    } catch {
      // Another user's to remove.
    }
  }
}

/** Removes what a supervisor that has died left for this config and socket. */
export function forgetPointer(defaultStateDir: string, config: string, socket: string): void {
  const files = namesOf(config).map((name) => pointerFile(defaultStateDir, name));
  removePointers(defaultStateDir, files, socket);
}

/** Removes every pointer to this socket, whichever config it is of. */
export function forgetPointersTo(defaultStateDir: string, socket: string): void {
  removePointers(defaultStateDir, filesIn(folder(defaultStateDir)), resolve(socket));
}

function filesIn(path: string): string[] {
  try {
    return readdirSync(path).map((name) => join(path, name));
  } catch {
    return []; // No supervisor has left one.
  }
}

function removePointers(defaultStateDir: string, files: readonly string[], socket: string): void {
  for (const file of files) if (readPointer(file) === socket) rmSync(file, { force: true });
  for (const empty of [folder(defaultStateDir), defaultStateDir]) removeIfEmpty(empty);
}
