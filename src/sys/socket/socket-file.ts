// The file of a Unix socket of ours. Whoever may write in its folder can put something else in its place, a
// link to a file of root's for instance; so nothing is done to it by its path alone. It is held by a descriptor
// (O_PATH, no link followed), compared with the file that the kernel says the socket is bound to, and changed or
// removed through that descriptor, or not at all.

import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  unlinkSync,
} from "node:fs";
import type { Stats } from "node:fs";
import { basename, dirname } from "node:path";
import { Fault } from "../../fault.ts";
import { checked, cString, libc, ptr } from "../libc.ts";
import { unixInodes } from "../proc/proc-sockets.ts";
import { type AccessList, removeAccessList, setAccessList } from "./access-list.ts";
import { boundFile } from "./unix-diag.ts";

// Linux, x64 and arm64 alike (bits/fcntl-linux.h).
const O_PATH = 0o10000000;
const AT_EMPTY_PATH = 0x1000;

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

export class SocketFile {
  readonly path: string;
  private readonly dev: number;
  private readonly ino: number;

  private constructor(path: string, { dev, ino }: Stats) {
    this.path = path;
    this.dev = dev;
    this.ino = ino;
  }

  /** The file at this path, if it is the one that the socket of this inode is bound to; else null. */
  static of(path: string, socketInode: number): SocketFile | null {
    return withFile(path, (_, stat) =>
      isFileOf(stat, path, socketInode) ? new SocketFile(path, stat) : null,
    );
  }

  /** Whether it still stands at its path. */
  get isThere(): boolean {
    return withFile(this.path, (_, stat) => this.is(stat)) === true;
  }

  /**
   * Gives it owner (null: as it is), mode and access list (null: none; undefined: as it is). Throws the Fault of a
   * file that was replaced, or what the system says.
   */
  change(mode: number, owner: FileOwner | null, list?: AccessList | null): void {
    const changed = withFile(this.path, (fd, stat) => {
      if (!this.is(stat)) return null;
      if (owner !== null) {
        const empty = cString("");
        const result = libc.fchownat(fd, ptr(empty), owner.uid, owner.gid, AT_EMPTY_PATH);
        checked("fchownat", result, this.path);
      }
      // A descriptor of O_PATH is no use to fchmod(2), but has a name of its own.
      chmodSync(`/proc/self/fd/${fd}`, mode);
      // After the mode, whose group part is the list's mask from then on.
      if (list === null) removeAccessList(fd);
      else if (list !== undefined) setAccessList(fd, mode, list);
      return true;
    });
    if (changed === null) throw replacedFault(this.path);
  }

  /** Removes it, if it still stands at its path; what stands there instead is left alone. */
  remove(): void {
    removeFrom(this.path, (stat) => this.is(stat));
  }

  private is({ dev, ino }: Stats): boolean {
    return dev === this.dev && ino === this.ino;
  }
}

/** For a socket whose file is gone, or no longer its own. */
export function replacedFault(path: string): Fault {
  return new Fault(
    "the socket's file was removed or replaced; what is there now was left as it is",
    {
      where: path,
      hint: `clients no longer reach the socket: see who may write in ${dirname(path)}, remove what is there, then stop and start`,
    },
  );
}

/** Removes what is at this path, if it is a socket; never anything else. */
export function removeSocket(path: string): void {
  removeFrom(path, (stat) => stat.isSocket());
}

function isFileOf(stat: Stats, path: string, socketInode: number): boolean {
  if (!stat.isSocket()) return false;
  const number = boundFile(socketInode);
  // A kernel that cannot tell the file still tells the name.
  if (number === null) return unixInodes(path).includes(String(socketInode));
  return stat.ino % 2 ** 32 === number;
}

/** What `look` makes of the file at this path, no link followed; null where there is none, or nobody may look. */
function withFile<T>(path: string, look: (fd: number, stat: Stats) => T | null): T | null {
  const fd = open(path, O_PATH | constants.O_NOFOLLOW);
  if (fd === null) return null;
  try {
    return look(fd, fstatSync(fd));
  } finally {
    closeSync(fd);
  }
}

/** The folder is held while the file is looked at and removed: a link in its place leads nowhere. */
function removeFrom(path: string, isRight: (stat: Stats) => boolean): void {
  const folder = open(dirname(path), O_PATH | constants.O_DIRECTORY);
  if (folder === null) return;
  try {
    const file = `/proc/self/fd/${folder}/${basename(path)}`;
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat !== undefined && isRight(stat)) unlinkSync(file);
  } finally {
    closeSync(folder);
  }
}

function open(path: string, flags: number): number | null {
  try {
    return openSync(path, flags);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES" || code === "ELOOP")
      return null;
    throw error;
  }
}
