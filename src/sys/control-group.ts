// A control group (cgroups(7), version 2) for each pool: whatever a worker starts stays in it, however it
// forks and leaves its process group, and is ended as one. The folders are the state: their names say
// whose they are. Only where we may make them: at the top of our own hierarchy, as in a container, or
// where the service manager has delegated ours to us.

import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { cString, libc, ptr } from "./libc.ts";
import { readText, TABLE_MOST } from "./proc/proc-file.ts";
import { lives } from "./proc/procfs.ts";

const PREFIX = "fcgivisor";
/** Where we go when the groups beside it are to have limits: a group with limits below it has no process of its own. */
const ASIDE = "fcgivisor-supervisor";

/** The most that all in a group may have together; null = no limit. Memory in bytes. */
export interface ControlLimits {
  readonly memory: number | null;
  readonly pids: number | null;
}

export type Controller = keyof ControlLimits;

let folder: string | null | undefined;

/** The folder of the group we are in; null where there is none that is ours to divide. Looked for once. */
function ownFolder(): string | null {
  if (folder !== undefined) return folder;
  folder = findFolder();
  if (folder !== null) sweep(folder);
  return folder;
}

function findFolder(): string | null {
  const within = groupPathOf("self");
  const mount = mountPoint();
  if (within === null || mount === null) return null;
  const own = resolve(mount, `.${basename(within) === ASIDE ? dirname(within) : within}`);
  return own === resolve(mount) || isDelegated(own) ? own : null;
}

/** Below the mount point; null = it cannot be seen. */
function groupPathOf(pid: number | "self"): string | null {
  return /^0::(\/.*)$/m.exec(readText(`/proc/${pid}/cgroup`) ?? "")?.[1] ?? null;
}

function mountPoint(): string | null {
  const mounts = (readText("/proc/self/mountinfo", TABLE_MOST) ?? "").split("\n");
  return mounts.find((line) => line.includes(" - cgroup2 "))?.split(" ")[4] ?? null;
}

/** The systemd service that the process is of, "php8.2-fpm.service"; null = none, or it cannot be seen. */
export function unitOf(pid: number): string | null {
  const parts = groupPathOf(pid)?.split("/") ?? [];
  return parts.findLast((part) => part.endsWith(".service")) ?? null;
}

/** Takes a process out of the group it is in, into ours; false when that cannot be. */
export function joinOwnGroup(pid: number): boolean {
  const [within, mount] = [groupPathOf("self"), mountPoint()];
  if (within === null || mount === null) return false;
  return write(join(mount, within, "cgroup.procs"), String(pid));
}

/** How systemd marks a group with Delegate=yes. */
function isDelegated(own: string): boolean {
  const path = cString(own);
  const value = new Uint8Array(8);
  return ["trusted.delegate", "user.delegate"].some((name) => {
    const length = libc.getxattr(ptr(path), ptr(cString(name)), ptr(value), value.length);
    return Number(length) === 1 && value[0] === "1".charCodeAt(0);
  });
}

/** The group of a pool's workers, made if need be; null where none can be had. */
export function controlGroupOf(pool: string): ControlGroup | null {
  const own = ownFolder();
  if (own === null) return null;
  const path = join(own, `${PREFIX}.${process.pid}.${pool.replace(/[^A-Za-z0-9_-]/g, "_")}`);
  try {
    mkdirSync(path, { recursive: true });
    return new ControlGroup(path);
  } catch {
    // EACCES, EROFS: not ours to write. ENOSPC: too many.
    return null;
  }
}

/**
 * Why the groups of pools can have no limit of this kind; null = they can. Enables the controller
 * (cgroups(7), "cgroup.subtree_control"), and moves this process out of the way where it is in the way.
 */
export function controllerLack(controller: Controller): string | null {
  const own = ownFolder();
  if (own === null) return "no control group of version 2 is ours to divide";
  const has = (file: string) =>
    (readText(join(own, file)) ?? "").trim().split(" ").includes(controller);
  if (has("cgroup.subtree_control")) return null;
  if (!has("cgroup.controllers")) return `the controller ${controller} is not available in ${own}`;
  const enable = () => write(join(own, "cgroup.subtree_control"), `+${controller}`);
  return enable() || (moveAside(own) && enable())
    ? null
    : `the controller ${controller} cannot be enabled in ${own}; other processes may be in it`;
}

function moveAside(own: string): boolean {
  const aside = join(own, ASIDE);
  try {
    mkdirSync(aside, { recursive: true });
  } catch {
    return false;
  }
  return write(join(aside, "cgroup.procs"), String(process.pid));
}

/** The groups of all pools of this process. */
export function ownControlGroups(): ControlGroup[] {
  const own = ownFolder();
  if (own === null) return [];
  return names(own, (pid) => pid === process.pid).map((name) => new ControlGroup(join(own, name)));
}

/** Removes what supervisors that are gone have left, as far as it is empty. */
function sweep(own: string): void {
  const left = [...names(own, (pid) => !lives(pid)), ASIDE];
  for (const name of left) new ControlGroup(join(own, name)).remove();
}

function names(own: string, wanted: (pid: number) => boolean): string[] {
  return namesIn(own).filter((name) => {
    const pid = /^fcgivisor\.([0-9]+)\./.exec(name)?.[1];
    return pid !== undefined && wanted(Number(pid));
  });
}

function namesIn(own: string): string[] {
  try {
    return readdirSync(own);
  } catch {
    // EACCES: not ours to look into, and so not ours to divide.
    return [];
  }
}

export class ControlGroup {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Who is in it now. */
  get members(): number[] {
    const text = readText(join(this.path, "cgroup.procs"), TABLE_MOST) ?? "";
    return text.split("\n").filter(Boolean).map(Number);
  }

  /** As far as the controllers can be had; what has no limit any more loses the one it had. */
  limit(limits: ControlLimits): void {
    for (const controller of ["memory", "pids"] as const) {
      const file = join(this.path, `${controller}.max`);
      const most = limits[controller];
      if (most !== null ? controllerLack(controller) === null : existsSync(file))
        write(file, String(most ?? "max"));
    }
  }

  /** Ends every process in it at once, those that are forked meanwhile too; false before Linux 5.14. */
  kill(): boolean {
    return write(join(this.path, "cgroup.kill"), "1");
  }

  /** When it is empty. */
  remove(): void {
    try {
      rmdirSync(this.path);
    } catch {
      // EBUSY: somebody is in it still. ENOENT: it is gone.
    }
  }
}

function write(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch {
    return false;
  }
}
