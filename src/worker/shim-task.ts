// What the shim is told, and when one is needed at all: it costs as much CPU as half a start of php-cgi.

import type { Identity } from "./identity.ts";

/** The hidden command word; the task itself comes on a descriptor, where nobody else reads it. */
export const SHIM_WORD = "worker-shim";

export interface ShimTask {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The program is root, and takes on the user and the root directory itself when it forks its workers. */
  readonly staysRoot: boolean;
  readonly identity: Identity | null;
  readonly chroot: string | null;
  /** Inside the chroot. */
  readonly chdir: string;
  readonly umask: number | null;
  readonly nice: number | null;
  readonly rlimitFiles: number | null;
  readonly rlimitCore: number | "unlimited" | null;
  readonly rlimitProcesses: number | null;
  readonly rlimitMemory: number | "unlimited" | null;
  readonly noNewPrivs: boolean;
  readonly privateTmp: boolean;
  readonly readOnly: boolean;
  /** Inside the chroot; where all can be written it means nothing. */
  readonly writable: readonly string[];
}

export interface Circumstances {
  /** Whether there is a sane limit of open files without the shim. */
  readonly filesAreBounded: boolean;
  /** Whether what is started is certain to be loaded: else it is the shim that waits, and nobody else. */
  readonly isSafeToStart: boolean;
}

export function needsShim(
  task: ShimTask,
  { filesAreBounded, isSafeToStart }: Circumstances,
): boolean {
  const { identity } = task;
  return (
    (identity !== null && (hasMoreGroups(identity) || !filesAreBounded || !isSafeToStart)) ||
    (task.chroot !== null && !task.staysRoot) ||
    task.umask !== null ||
    task.nice !== null ||
    task.rlimitFiles !== null ||
    task.rlimitCore !== null ||
    task.rlimitProcesses !== null ||
    task.rlimitMemory !== null ||
    task.noNewPrivs ||
    task.privateTmp ||
    task.readOnly
  );
}

/** Bun.spawn takes on a user and a group, and leaves it no other group. */
function hasMoreGroups({ gid, groups }: Identity): boolean {
  return groups.some((group) => group !== gid);
}
