// What only the kernel can do to a process, for tests that run as root: a file system that holds
// whoever writes to it, and a control group with a limit.

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { procText } from "./processes.ts";
import type { Scene } from "./scene.ts";
import { eventually } from "./wait.ts";

export interface Frozen {
  /** Any user may write here, when it is not frozen. */
  readonly dir: string;
  /** From now on a writer waits in an uninterruptible sleep. */
  readonly freeze: () => Promise<void>;
  readonly thaw: () => Promise<void>;
}

const TOOLS = ["mkfs.ext4", "losetup", "fsfreeze", "mount", "umount"];

/** Whether `freezable` can work here. */
export function canFreeze(): boolean {
  if (!TOOLS.every((tool) => Bun.which(tool) !== null)) return false;
  return Bun.spawnSync(["losetup", "--find"], { stderr: "ignore" }).exitCode === 0;
}

/** A small file system of its own, which is thawed and unmounted at the end of the test. */
export async function freezable(scene: Scene): Promise<Frozen> {
  const [image, dir] = [scene.path("image"), scene.path("frozen")];
  mkdirSync(dir);
  const must = async (...words: string[]) => {
    const { code, stderr } = await scene.command(words);
    if (code !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
  };
  await must("dd", "if=/dev/zero", `of=${image}`, "bs=1M", "count=16");
  await must("mkfs.ext4", "-q", image);
  await must("mount", "-o", "loop", image, dir);
  await must("chmod", "777", dir);
  let frozen = false;
  const thaw = async () => {
    if (frozen) await must("fsfreeze", "-u", dir);
    frozen = false;
  };
  scene.atEnd(async () => {
    await thaw();
    await eventually(async () => (await scene.command(["umount", dir])).code === 0);
  });
  const freeze = async () => {
    await must("fsfreeze", "-f", dir);
    frozen = true;
  };
  return { dir, freeze, thaw };
}

const CGROUPS = "/sys/fs/cgroup";
const LIMITS = {
  memory: { v1: "memory.limit_in_bytes", v2: "memory.max" },
  pids: { v1: "pids.max", v2: "pids.max" },
} as const;

export type Limited = keyof typeof LIMITS;

export interface ControlGroup {
  /** The most that is allowed from now on; null = no limit. */
  readonly limit: (most: number | null) => void;
  readonly add: (pid: number) => void;
  /** How many processes are in it. */
  readonly count: () => number;
}

function isUnified(): boolean {
  return existsSync(join(CGROUPS, "cgroup.controllers"));
}

/** Whether a control group for this can be made here. */
export function canLimit(what: Limited): boolean {
  if (!isUnified()) return existsSync(join(CGROUPS, what, "cgroup.procs")) && mayWrite();
  const enabled = readFileSync(join(CGROUPS, "cgroup.subtree_control"), "utf8");
  return enabled.split(/\s/).includes(what) && mayWrite();
}

function mayWrite(): boolean {
  const parent = isUnified() ? CGROUPS : join(CGROUPS, "pids");
  return Bun.spawnSync(["test", "-w", parent]).exitCode === 0;
}

/** A control group of its own, removed at the end of the test, when its processes are gone. */
export function controlGroup(scene: Scene, what: Limited): ControlGroup {
  const name = `fv-${process.pid}-${scene.dir.split("-").at(-1)}-${what}`;
  const dir = isUnified() ? join(CGROUPS, name) : join(CGROUPS, what, name);
  mkdirSync(dir);
  const members = () => readFileSync(join(dir, "cgroup.procs"), "utf8").split("\n").filter(Boolean);
  scene.atEnd(async () => {
    await eventually(() => members().length === 0, { what: `${dir} is empty` });
    rmdirSync(dir);
  });
  const file = join(dir, LIMITS[what][isUnified() ? "v2" : "v1"]);
  const none = isUnified() || what === "pids" ? "max" : "-1";
  return {
    limit: (most) => writeFileSync(file, String(most ?? none)),
    add: (pid) => writeFileSync(join(dir, "cgroup.procs"), String(pid)),
    count: () => members().length,
  };
}

/** Where control groups of version 2 are and may be made; null = nowhere. */
function unifiedGroups(): string | null {
  const line = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((text) => text.includes(" - cgroup2 "));
  const dir = line?.split(" ")[4];
  const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
  const mayWrite = dir !== undefined && Bun.spawnSync(["test", "-w", dir]).exitCode === 0;
  return mayWrite && own === "/" ? dir : null;
}

/** Whether a supervisor that is started here can make one for each pool. */
export function canDivide(): boolean {
  return unifiedGroups() !== null;
}

/** What a file of the pool's control group says, whose worker this is; null = it has no such limit. */
export function limitOfGroup(worker: number, file: string): string | null {
  const root = unifiedGroups();
  const own = /^0::(.*)$/m.exec(procText(worker, "cgroup"))?.[1];
  const path = root === null || own === undefined ? null : join(root, own, file);
  return path !== null && existsSync(path) ? readFileSync(path, "utf8").trim() : null;
}

/** Names of the groups that supervisors with the scene's own state directory have made. */
export function controlGroupsOf(scene: Scene): string[] {
  const dir = unifiedGroups();
  return dir === null
    ? []
    : readdirSync(dir).filter((name) => name.startsWith(`${groupPrefix(scene)}.`));
}

/**
 * A control group that is given away, as systemd marks one (Delegate=yes): its path as /proc tells it, and a program
 * that begins what follows in it. It is removed at the end of the test.
 */
export function delegatedGroup(scene: Scene): { readonly path: string; readonly under: string[] } {
  const name = `fv-${process.pid}-${scene.dir.split("-").at(-1)}-delegated`;
  const dir = join(unifiedGroups()!, name);
  mkdirSync(dir);
  scene.atEnd(() => eventually(() => removeBelow(dir), { what: `${dir} is empty` }).then(() => {}));
  // syscall() takes no constants for what it might write to.
  const mark = `my ($name, $value) = ("trusted.delegate", "1"); syscall(${SETXATTR}, $ARGV[0], $name, $value, 1, 0) == 0 or die $!`;
  if (Bun.spawnSync(["perl", "-e", mark, dir]).exitCode !== 0)
    throw new Error(`cannot mark ${dir}`);
  const enter = 'echo $$ > "$0/cgroup.procs"; exec "$@"';
  return { path: `/${name}`, under: ["sh", "-c", enter, dir] };
}

const SETXATTR = process.arch === "arm64" ? 5 : 188;

function removeBelow(dir: string): boolean {
  try {
    const groups = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const group of groups) rmdirSync(join(dir, group.name));
    rmdirSync(dir);
    return true;
  } catch {
    // Somebody is in it still.
    return false;
  }
}

/** The control group of version 2 that a process is in. */
export function unifiedGroupOf(pid: number): string | undefined {
  return /^0::(.*)$/m.exec(procText(pid, "cgroup"))?.[1];
}

/** Whether a process may be made dearer to the kernel than others, as CAP_SYS_RESOURCE lets it be. */
export function canBeDear(): boolean {
  const command = ["sh", "-c", "echo -1 > /proc/self/oom_score_adj"];
  return Bun.spawnSync(command, { stderr: "ignore" }).exitCode === 0;
}

/** The name of the group of a pool; `supervisor`: its pid, as it has it itself. */
export function controlGroupName(scene: Scene, supervisor: number | string, pool: string): string {
  return `${groupPrefix(scene)}.${supervisor}.${pool}`;
}

function groupPrefix(scene: Scene): string {
  const digest = createHash("sha256").update(scene.path("run")).digest("hex").slice(0, 12);
  return `fcgivisor.${digest}`;
}
