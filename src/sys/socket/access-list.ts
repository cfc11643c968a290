// The access list of a Unix socket's file, acl(5): who may connect beside its owner, group and others. Written
// as the kernel keeps it (linux/posix_acl_xattr.h, version 2), because no tool for it need be installed.

import { checked, cString, errno, libc, ptr, SysError } from "../libc.ts";

export interface AccessList {
  readonly users: readonly number[];
  readonly groups: readonly number[];
}

const NAME = cString("system.posix_acl_access");

const USER_OBJ = 0x01;
const USER = 0x02;
const GROUP_OBJ = 0x04;
const GROUP = 0x08;
const MASK = 0x10;
const OTHER = 0x20;
/** Of an entry that names nobody. */
const NO_ID = 0xffffffff;
/** To connect(2) takes the right to write; php-fpm gives both. */
const READ_AND_WRITE = 6;

/** The value of the attribute: a file of that mode, and the named users and groups on top. */
export function accessListBytes(mode: number, { users, groups }: AccessList): Uint8Array {
  const named = (tag: number, ids: readonly number[]) =>
    [...new Set(ids)].toSorted((a, b) => a - b).map((id) => [tag, READ_AND_WRITE, id] as const);
  const entries = [
    [USER_OBJ, (mode >> 6) & 7, NO_ID] as const,
    ...named(USER, users),
    [GROUP_OBJ, (mode >> 3) & 7, NO_ID] as const,
    ...named(GROUP, groups),
    // What all of them but owner and others have at most.
    [MASK, ((mode >> 3) & 7) | READ_AND_WRITE, NO_ID] as const,
    [OTHER, mode & 7, NO_ID] as const,
  ];
  const bytes = new DataView(new ArrayBuffer(4 + entries.length * 8));
  bytes.setUint32(0, 2, true);
  for (const [i, [tag, rights, id]] of entries.entries()) {
    bytes.setUint16(4 + i * 8, tag, true);
    bytes.setUint16(6 + i * 8, rights, true);
    bytes.setUint32(8 + i * 8, id, true);
  }
  return new Uint8Array(bytes.buffer);
}

/** Gives the list to the file that `fd` holds (O_PATH will do). Throws the SysError of a file system that has none. */
export function setAccessList(fd: number, mode: number, list: AccessList): void {
  const value = accessListBytes(mode, list);
  const path = cString(`/proc/self/fd/${fd}`);
  checked("setxattr", libc.setxattr(ptr(path), ptr(NAME), ptr(value), BigInt(value.length), 0));
}

const ENODATA = 61;
const EOPNOTSUPP = 95;

/** Takes the list away, if there is one. */
export function removeAccessList(fd: number): void {
  const path = cString(`/proc/self/fd/${fd}`);
  if (Number(libc.removexattr(ptr(path), ptr(NAME))) === 0) return;
  const code = errno();
  if (code !== ENODATA && code !== EOPNOTSUPP) throw new SysError("removexattr", code);
}
