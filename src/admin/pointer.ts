// How a control command finds the socket while the config is broken or gone: a running supervisor
// leaves a small file, named after its config's path, that holds its socket's path.

import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";

/** The folder of the pointers, in the default state directory whatever the config says. */
function folder(defaultStateDir: string): string {
  return join(defaultStateDir, "configs");
}

/** The path as given and with its links followed: either may be asked for later. */
function namesOf(config: string): string[] {
  const names = new Set([resolve(config)]);
  try {
    names.add(realpathSync(config));
  } catch {
    // The file is gone; its name as given still counts.
  }
  return [...names];
}

function pointerFile(defaultStateDir: string, name: string): string {
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 32);
  return join(folder(defaultStateDir), digest);
}

/** Leaves pointers from the config to the socket; returns what removes them again. */
export function leavePointer(defaultStateDir: string, config: string, socket: string): () => void {
  mkdirSync(folder(defaultStateDir), { recursive: true, mode: 0o755 });
  const files = namesOf(config).map((name) => pointerFile(defaultStateDir, name));
  for (const file of files) {
    const unfinished = `${file}.${process.pid}`;
    writeFileSync(unfinished, `${socket}\n`);
    renameSync(unfinished, file);
  }
  return () => removePointers(defaultStateDir, files, socket);
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

/** The socket of the supervisor that runs with this config, as far as a pointer tells. */
export function followPointer(defaultStateDir: string, config: string): string | null {
  for (const name of namesOf(config)) {
    const socket = readPointer(pointerFile(defaultStateDir, name));
    if (socket !== null) return socket;
  }
  return null;
}

function readPointer(file: string): string | null {
  try {
    return readFileSync(file, "utf8").trim() || null;
  } catch {
    // No supervisor has left one.
    return null;
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
