// Looks at files, and reads small ones, by the C library itself: for commands that are to feel instant, which
// node:fs alone would cost a quarter more. Whoever has time for it, or writes, uses node:fs.

import { checked, cString, errno, libc, ptr, SysError, textOfBytes } from "./libc.ts";

/** What is there. A size is in bytes. */
export interface FileStatus {
  readonly uid: number;
  readonly gid: number;
  /** Permissions, with what kind of file it is (inode(7)). */
  readonly mode: number;
  readonly size: number;
}

const SYS_STATX = process.arch === "arm64" ? 291 : 332;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
/** struct statx, the same on every architecture (linux/stat.h). */
const STATX = { bytes: 256, uid: 20, gid: 24, mode: 28, size: 40 } as const;
const KIND = 0o170000;

export const isFolder = ({ mode }: FileStatus): boolean => (mode & KIND) === 0o040000;
export const isPlainFile = ({ mode }: FileStatus): boolean => (mode & KIND) === 0o100000;
export const isLink = ({ mode }: FileStatus): boolean => (mode & KIND) === 0o120000;

/** What a path leads to, a link at its end being followed or not. Throws a SysError. */
export function statusOf(path: string, link: "followed" | "itself" = "followed"): FileStatus {
  return statx(AT_FDCWD, path, link === "itself" ? AT_SYMLINK_NOFOLLOW : 0);
}

/** The same; null where there is nothing, or nothing that we may look at. */
export function statusIfAny(path: string, link?: "followed" | "itself"): FileStatus | null {
  try {
    return statusOf(path, link);
  } catch {
    return null;
  }
}

/** Of an open file. Throws a SysError. */
export function statusOfOpen(fd: number): FileStatus {
  return statx(fd, "", AT_EMPTY_PATH);
}

function statx(folder: number, path: string, flags: number): FileStatus {
  const name = cString(path);
  const found = new DataView(new ArrayBuffer(STATX.bytes));
  checked(
    "statx",
    libc.syscall(SYS_STATX, folder, ptr(name), flags, STATX_BASIC_STATS, ptr(found)),
    path,
  );
  return {
    uid: found.getUint32(STATX.uid, true),
    gid: found.getUint32(STATX.gid, true),
    mode: found.getUint16(STATX.mode, true),
    size: Number(found.getBigUint64(STATX.size, true)),
  };
}

const PATH_MOST = 4096;

/** Where a link leads, as it says. Throws a SysError. */
export function linkTarget(path: string): string {
  const name = cString(path);
  const target = new Uint8Array(PATH_MOST);
  const length = checked("readlink", libc.readlink(ptr(name), ptr(target), PATH_MOST), path);
  return textOfBytes(target.subarray(0, length));
}

/** The path with every link on the way followed; null where it leads nowhere. */
export function realPath(path: string): string | null {
  const name = cString(path);
  const real = new Uint8Array(PATH_MOST);
  return libc.realpath(ptr(name), ptr(real)) === null ? null : textOfBytes(real);
}

const O_RDONLY = 0;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
/** The one of these flags that has another number on ARM. */
const O_NOFOLLOW = process.arch === "arm64" ? 0o100000 : 0o400000;

/** A file that is no link, open for reading; a pipe does not make it wait. Throws a SysError (ELOOP: a link). */
export function openForReading(path: string): number {
  const name = cString(path);
  const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  return checked("open", libc.open(ptr(name), flags), path);
}

const CHUNK = 65_536;

/** What is left to read of an open file, as text. Throws a SysError. */
export function textOfOpen(fd: number): string {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(CHUNK);
  for (let text = ""; ;) {
    const length = checked("read", libc.read(fd, ptr(chunk), CHUNK));
    if (length === 0) return text + decoder.decode();
    text += decoder.decode(chunk.subarray(0, length), { stream: true });
  }
}

/** What a file holds; null where it cannot be read. */
export function textOf(path: string): string | null {
  try {
    const fd = openForReading(path);
    try {
      return textOfOpen(fd);
    } finally {
      closeFile(fd);
    }
  } catch {
    return null;
  }
}

export function closeFile(fd: number): void {
  libc.close(fd);
}

/** Writes some of it, and tells how many bytes. Throws a SysError (EAGAIN, EINTR among them). */
export function writeSome(fd: number, bytes: Uint8Array): number {
  const length = Number(libc.write(fd, ptr(bytes), bytes.length));
  if (length < 0) throw new SysError("write", errno());
  return length;
}
