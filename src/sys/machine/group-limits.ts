// What the control groups of this process say of a limit: its own and each above it (cgroups(7)), in
// version 2, or in version 1, where each controller has a tree of its own.

import { readText } from "../proc/proc-file.ts";

export interface LimitFiles {
  /** As version 1 names it. */
  readonly controller: "cpu" | "memory";
  /** What they say is joined by a blank. */
  readonly v2: string | readonly string[];
  readonly v1: readonly string[];
}

const MOUNT = "/sys/fs/cgroup";

/** The texts of these files, of every group that has them. */
export function limitTexts(files: LimitFiles): string[] {
  const lines = (readText("/proc/self/cgroup") ?? "").split("\n");
  return lines.flatMap((line) => textsOf(line, files));
}

/** `line`: of /proc/self/cgroup. */
function textsOf(line: string, { controller, v1, v2 }: LimitFiles): string[] {
  const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
  if (path === undefined) return [];
  const isV2 = controllers === "";
  if (!isV2 && !controllers!.split(",").includes(controller)) return [];
  const folders = path.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/"));
  return folders.flatMap((folder) => {
    const place = isV2 ? `${MOUNT}${folder}` : `${MOUNT}/${controllers}${folder}`;
    const texts = (isV2 ? [v2].flat() : v1).map((name) => readText(`${place}/${name}`));
    return texts.includes(null) ? [] : [texts.join(" ")];
  });
}
