// How much memory there is for all processes together: the machine's, or less where a control group
// allows less.

import { limitTexts } from "./group-limits.ts";
import { readText } from "../proc/proc-file.ts";

const FILES = {
  controller: "memory",
  v2: "memory.max",
  v1: ["memory.limit_in_bytes"],
} as const;

/** In bytes; null where it is not told. */
export function machineMemory(): number | null {
  const total = /^MemTotal:\s+(\d+) kB/m.exec(readText("/proc/meminfo") ?? "")?.[1];
  const limits = limitTexts(FILES).map((text) => Number.parseInt(text, 10));
  const known = [Number(total) * 1024, ...limits].filter((bytes) => Number.isFinite(bytes));
  return known.length === 0 ? null : Math.min(...known);
}
