// What the shim is told, and when one is needed at all: it costs as much CPU as half a start of php-cgi.

import type { Identity } from "./identity.ts";

/** The hidden command word, and the variable that carries the task. */
export const SHIM_WORD = "worker-shim";
export const SHIM_VARIABLE = "FCGIVISOR_SHIM";

export interface ShimTask {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly identity: Identity | null;
  readonly chroot: string | null;
  /** Inside the chroot. */
  readonly chdir: string;
  readonly umask: number | null;
  readonly nice: number | null;
  readonly rlimitFiles: number | null;
  readonly rlimitCore: number | "unlimited" | null;
}

export function needsShim(task: ShimTask): boolean {
  return (
    (task.identity !== null && hasMoreGroups(task.identity)) ||
    task.chroot !== null ||
    task.umask !== null ||
    task.nice !== null ||
    task.rlimitFiles !== null ||
    task.rlimitCore !== null
  );
}

/** Bun.spawn takes on a user and a group, and leaves it no other group. */
function hasMoreGroups({ gid, groups }: Identity): boolean {
  return groups.some((group) => group !== gid);
}
