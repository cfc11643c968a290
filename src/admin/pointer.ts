// How a control command finds the socket while the config is broken or gone: a running supervisor
// leaves a small file, named after its config's path, that holds its socket's path.

import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { readOwnFile, writeOwnFile } from "../sys/own-file.ts";
import { removeIfEmpty } from "../sys/own-folder.ts";
import { exposure, refuseExposed } from "../sys/trust.ts";

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
  // Bun's own, because node:crypto costs a command as much as all else that it loads.
  const digest = new Bun.CryptoHasher("sha256").update(name).digest("hex").slice(0, 32);
  return join(folder(defaultStateDir), digest);
}

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

/** The socket of the supervisor that runs with this config, as far as a pointer tells. */
export function followPointer(defaultStateDir: string, config: string): string | null {
  // Somebody else's pointer leads to somebody else's supervisor.
  if (exposure(folder(defaultStateDir), "only on the way") !== null) return null;
  for (const name of namesOf(config)) {
    const socket = readPointer(pointerFile(defaultStateDir, name));
    if (socket !== null) return socket;
  }
  return null;
}

function readPointer(file: string): string | null {
  try {
    return readOwnFile(file)?.trim() || null;
  } catch {
    // Not ours.
    return null;
  }
}
