// How a control command finds the socket while the config is broken or gone: a running supervisor
// leaves a small file, named after its config's path, that holds its socket's path.

import { join, resolve } from "node:path";
import { realPath } from "../sys/file.ts";
import { readOwnFile } from "../sys/own-file.ts";
import { exposure } from "../sys/trust.ts";

/** The folder of the pointers, in the default state directory whatever the config says. */
export function folder(defaultStateDir: string): string {
  return join(defaultStateDir, "configs");
}

/** The path as given and with its links followed: either may be asked for later. */
export function namesOf(config: string): string[] {
  const given = resolve(config);
  // When the file is gone, its name as given still counts.
  return [...new Set([given, realPath(given) ?? given])];
}

export function pointerFile(defaultStateDir: string, name: string): string {
  // Bun's own, because node:crypto costs a command as much as all else that it loads.
  const digest = new Bun.CryptoHasher("sha256").update(name).digest("hex").slice(0, 32);
  return join(folder(defaultStateDir), digest);
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

export function readPointer(file: string): string | null {
  try {
    return readOwnFile(file)?.trim() || null;
  } catch {
    // Not ours.
    return null;
  }
}
