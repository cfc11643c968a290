// A table of mounts for this process and its children alone (mount_namespaces(7)): what is read-only, and a
// /tmp of their own. It goes with the last of them, and nothing of it is seen outside.

import { existsSync } from "node:fs";
import { checked, cString, libc, ptr } from "../libc.ts";

const CLONE_NEWNS = 0x20000;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_BIND = 4096;
const MS_REC = 16384;
const MS_SLAVE = 1 << 19;

/** Leaves the table that this process shares with others; what is mounted there later appears here, too. */
export function ownMounts(): void {
  checked("unshare", libc.unshare(CLONE_NEWNS));
  mount(null, "/", null, MS_REC | MS_SLAVE, null);
}

/** An empty folder in memory over this one, if it is there (tmpfs(5)). Device files mean nothing in it. */
export function mountTemporary(path: string): void {
  if (existsSync(path)) mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
}

/** All that is mounted, but for these folders; in them what is mounted deeper stays read-only. */
export function makeReadOnly(writable: readonly string[]): void {
  for (const path of writable) mount(path, path, null, MS_BIND, null);
  setReadOnly("/", "and all below");
  for (const path of writable) setReadOnly(path, "no longer");
}

const SYS_MOUNT_SETATTR = 442;
const AT_FDCWD = -100;
const AT_RECURSIVE = 0x8000;
const MOUNT_ATTR_RDONLY = 1n;

/** mount_setattr(2), since Linux 5.12. */
function setReadOnly(path: string, how: "and all below" | "no longer"): void {
  // struct mount_attr: attr_set, attr_clr, propagation, userns_fd.
  const isSet = how === "and all below";
  const change = new BigUint64Array(4);
  change[isSet ? 0 : 1] = MOUNT_ATTR_RDONLY;
  const name = cString(path);
  const done = libc.syscall(
    SYS_MOUNT_SETATTR,
    AT_FDCWD,
    ptr(name),
    isSet ? AT_RECURSIVE : 0,
    ptr(change),
    change.byteLength,
  );
  checked("mount_setattr", done, path);
}

function mount(
  source: string | null,
  target: string,
  type: string | null,
  flags: number,
  options: string | null,
): void {
  const texts = [source, target, type, options].map((text) =>
    text === null ? null : cString(text),
  );
  const [from, to, kind, data] = texts.map((text) => (text === null ? null : ptr(text)));
  checked("mount", libc.mount(from!, to!, kind!, flags, data!), target);
}
