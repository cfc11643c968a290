// How many processors this process may use: those it may run on (sched_setaffinity(2)), or fewer where a
// control group allows less time (cgroups(7): cpu.max, or cpu.cfs_quota_us in version 1).

import { availableParallelism } from "node:os";
import { readText } from "./proc-file.ts";

/** At least one; a part of a processor counts as a whole one. */
export function processors(): number {
  const groups = readText("/proc/self/cgroup") ?? "";
  const limits = groups.split("\n").flatMap(limitsOf);
  return Math.max(1, Math.min(availableParallelism(), ...limits.map((limit) => Math.ceil(limit))));
}

const MOUNT = "/sys/fs/cgroup";

/** What the group in a line of /proc/self/cgroup allows, and each group above it. */
function limitsOf(line: string): number[] {
  const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
  if (path === undefined) return [];
  const folders = path.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/"));
  const at = (folder: string, name: string) => readText(`${MOUNT}${folder}/${name}`);
  const read =
    controllers === ""
      ? (folder: string) => quota(at(folder, "cpu.max"))
      : controllers!.split(",").includes("cpu")
        ? (folder: string) =>
            quota(
              `${at(`/${controllers}${folder}`, "cpu.cfs_quota_us")} ${at(`/${controllers}${folder}`, "cpu.cfs_period_us")}`,
            )
        : () => null;
  return folders.map(read).filter((limit) => limit !== null);
}

/** `QUOTA PERIOD`, both in microseconds, as processors; null: no limit ("max", -1), or none that is told. */
export function quota(text: string | null): number | null {
  const [, time, period] = /^(\d+)\s+(\d+)\s*$/.exec(text ?? "") ?? [];
  return time === undefined || Number(period) === 0 ? null : Number(time) / Number(period);
}
