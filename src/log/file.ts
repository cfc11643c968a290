// The log file. It is opened for appending, so that a rotation that truncates it leaves no hole, and
// each line is one write. A rotation opens the new file before it lets go of the old one; a line is
// in the one or the other, never in neither.

import { closeSync, constants, fstatSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { Fault } from "../fault.ts";
import { exposure } from "../sys/trust.ts";
import { LineWriter, type Put } from "./line-writer.ts";
import type { AnnounceLost, LogTarget } from "./target.ts";

// The runtime adds O_CLOEXEC to every open. O_NONBLOCK matters only for what is no plain file: a
// pipe without a reader would make open(2) itself wait.
const FLAGS = constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY;
const MODE = 0o640;

export class LogFile implements LogTarget {
  private readonly path: string;
  private fd: number;
  private readonly writer: LineWriter;

  private constructor(path: string, fd: number, announce: AnnounceLost) {
    this.path = path;
    this.fd = fd;
    this.writer = new LineWriter(putTo(fd), announce);
  }

  /** Opens the file, creating it (mode 0640 less the umask) but not its directory. Throws Faults. */
  static open(path: string, announce: AnnounceLost): LogFile {
    return new LogFile(path, beginLine(path, openAppending(path)), announce);
  }

  write(record: string): void {
    this.writer.write(record);
  }

  reopen(): readonly string[] {
    const next = openAppending(this.path);
    // Still the same file: a line that a full disk cut short is finished through the old descriptor.
    if (sameFile(this.fd, next)) {
      closeSync(next);
      return [this.path];
    }
    const old = this.fd;
    this.fd = beginLine(this.path, next);
    this.writer.redirect(putTo(this.fd));
    closeSync(old);
    return [this.path];
  }

  close(): void {
    this.writer.close();
    closeSync(this.fd);
  }
}

function putTo(fd: number): Put {
  return (bytes) => writeSync(fd, bytes);
}

function sameFile(a: number, b: number): boolean {
  const [one, other] = [fstatSync(a), fstatSync(b)];
  return one.dev === other.dev && one.ino === other.ino;
}

/** Sees to it that the next line is not glued to one that has no end; returns `fd`. */
function beginLine(path: string, fd: number): number {
  if (endsInsideLine(path, fd)) {
    try {
      writeSync(fd, "\n");
    } catch {
      // The disk is full still; the writer finds out by itself and says so.
    }
  }
  return fd;
}

/** A supervisor that was killed while the disk was full can leave a line without its end. */
function endsInsideLine(path: string, fd: number): boolean {
  const { size } = fstatSync(fd);
  if (!fstatSync(fd).isFile() || size === 0) return false;
  try {
    // What stands at the path may be something else by now, a pipe that nobody writes for instance.
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const last = new Uint8Array(1);
      const isRead = sameFile(fd, reader) && readSync(reader, last, 0, 1, size - 1) === 1;
      return isRead && last[0] !== 0x0a;
    } finally {
      closeSync(reader);
    }
  } catch {
    return false; // Writable but not readable: no reason not to log.
  }
}

function openAppending(path: string): number {
  // Where others can write, the name may be a link of theirs to a file of ours.
  const exposed = exposure(dirname(path), "only on the way");
  const flags = FLAGS | constants.O_WRONLY | (exposed === null ? 0 : constants.O_NOFOLLOW);
  let fd: number;
  try {
    fd = openSync(path, flags, MODE);
  } catch (error) {
    throw openFault(path, codeOf(error), error);
  }
  if (exposed === null || fstatSync(fd).nlink === 1) return fd;
  closeSync(fd);
  throw openFault(path, "ELOOP");
}

const HINTS: Readonly<Record<string, (path: string) => string>> = {
  ENOENT: (path) => `create its directory: mkdir -p ${dirname(path)}`,
  ENOTDIR: (path) =>
    `a part of ${dirname(path)} is not a directory; set [log] file to another path`,
  EISDIR: () => "that is a directory; name a file in it",
  EACCES: (path) => `this user may not write there; change the rights of ${dirname(path)}`,
  EROFS: () => "the file system is read-only; set [log] file to a path elsewhere",
  ELOOP: (path) =>
    `it is another name of some file, in a folder that others can write in: give ${dirname(path)} to root, or remove it`,
  ENXIO: () =>
    'that is a socket, or a pipe that nobody reads; for stderr write [log] file = "stderr"',
};

/** Why a log file could not be opened, as far as can be told without trying; null = it probably can. */
export function logFileFault(path: string): Fault | null {
  if (isFolder(path)) return openFault(path, "EISDIR");
  return isFolder(dirname(path)) ? null : openFault(path, "ENOENT");
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // Not there, or not to be seen by this user.
  }
}

function openFault(path: string, code: string, error?: unknown): Fault {
  const message =
    code === "ENOENT"
      ? `the log file cannot be opened: the directory ${dirname(path)} does not exist`
      : "the log file cannot be opened";
  const hint = HINTS[code]?.(path) ?? "set [log] file to a path that can be written";
  return new Fault(message, {
    where: path,
    hint,
    ...(code === "ENOENT" || error === undefined ? {} : { cause: error }),
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
