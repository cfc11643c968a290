// The right to look into a process of another user. Root has it by CAP_SYS_PTRACE, which a container
// mostly does without; then the kernel lets whoever look that has the file system ids of the process
// (ptrace(2), PTRACE_MODE_READ_FSCREDS). They are lent for one look, on this thread alone, and give less
// right than root has. A thread that is begun meanwhile would keep them, so a look begins none.

import { statSync } from "node:fs";
import { libc } from "../libc.ts";
import { readText } from "./proc-file.ts";

const CAP = { setgid: 6n, setuid: 7n, sysPtrace: 19n } as const;

let isNeeded: boolean | undefined;

/** Looks as the user that the process runs as, where only that user may look. `look` must not wait. */
export function asOwnerOf<T>(pid: number, look: () => T): T {
  isNeeded ??= needsOwner();
  const owner = isNeeded ? ownerOf(pid) : null;
  if (owner === null) return look();
  const { uid, gid } = owner;
  // The group first: setfsuid(2) takes the right to change it away.
  libc.setfsgid(gid);
  libc.setfsuid(uid);
  try {
    return look();
  } finally {
    libc.setfsuid(process.geteuid!());
    libc.setfsgid(process.getegid!());
  }
}

function needsOwner(): boolean {
  if (process.geteuid!() !== 0) return false;
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readText("/proc/self/status") ?? "")?.[1];
  const has = (bit: bigint) => ((BigInt(`0x${effective ?? "0"}`) >> bit) & 1n) === 1n;
  return !has(CAP.sysPtrace) && has(CAP.setuid) && has(CAP.setgid);
}

/** null: it is gone, or it is root's, as one that lets nobody look appears to be. */
function ownerOf(pid: number): { readonly uid: number; readonly gid: number } | null {
  try {
    const { uid, gid } = statSync(`/proc/${pid}`);
    return uid === 0 ? null : { uid, gid };
  } catch {
    return null;
  }
}
