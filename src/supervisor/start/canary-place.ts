// Where a canary's private socket is: a path that nobody else can take or reach, and what a supervisor that died
// while it asked one has left there. Others may have put something of the same name beside it: only what is certainly
// ours is ended or removed.

import { lstatSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeIfEmpty, withOwnFolder } from "../../sys/own-folder.ts";
import { UNIX_PATH_MAX } from "../../sys/socket/address.ts";
import { sendSignal } from "../../sys/process.ts";
import { removeSocket, SocketFile } from "../../sys/socket/socket-file.ts";
import { ANYBODY, SocketHolders, unixInodes } from "../../sys/proc/proc-sockets.ts";
import { lives } from "../../sys/proc/procfs.ts";

const PREFIX = "canary-";
const SOCKET = "canary.sock";
/** Made by the process of this number; the rest cannot be guessed (mkdtemp(3)). */
const FOLDER = /^fcgivisor-canary-([0-9]+)-[A-Za-z0-9]{6}$/;

let count = 0;

/**
 * In the state directory, or, where that is too deep for a socket, in a folder of its own (mode 0700). `remove` takes
 * the folder away.
 */
export function privatePlace(stateDir: string): {
  readonly path: string;
  readonly remove: () => void;
} {
  const path = join(stateDir, `${PREFIX}${process.pid}-${++count}.sock`);
  if (Buffer.byteLength(path) <= UNIX_PATH_MAX) return { path, remove: () => {} };
  const folder = mkdtempSync(join(tmpdir(), `fcgivisor-${PREFIX}${process.pid}-`));
  return { path: join(folder, SOCKET), remove: () => removeFolder(folder) };
}

/** Ends the canaries of supervisors that have died, and removes their sockets and folders. */
export function endLeftOverCanaries(stateDir: string): void {
  for (const name of namesIn(stateDir))
    if (name.startsWith(PREFIX)) endCanary(join(stateDir, name), join(stateDir, name));
  for (const name of namesIn(tmpdir())) {
    const maker = FOLDER.exec(name)?.[1];
    if (maker !== undefined && !lives(Number(maker))) removeFolder(join(tmpdir(), name));
  }
}

function removeFolder(path: string): void {
  withOwnFolder(path, (inside) => {
    const socket = join(inside, SOCKET);
    if (lstatSync(socket, { throwIfNoEntry: false })?.isSocket())
      endCanary(join(path, SOCKET), socket);
    // Another one that is empty may have taken its place: no loss.
    removeIfEmpty(path);
  });
}

/** Who serves on the socket that is bound to this very file; `boundPath`: as the kernel has its name. */
function endCanary(boundPath: string, file: string): void {
  const inodes = unixInodes(boundPath).filter((inode) => SocketFile.of(file, Number(inode)));
  const look = new SocketHolders();
  for (const { pid } of inodes.flatMap((inode) => look.of(inode, ANYBODY)))
    sendSignal(pid, "SIGKILL");
  removeSocket(file);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Not there, or not ours to look into.
    return [];
  }
}
