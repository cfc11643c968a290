// How much memory new processes can still have: what the machine has available, or less where the limit of a control
// group leaves less.

import { readText } from "../proc/proc-file.ts";
import { limitTexts } from "./group-limits.ts";

const FILES = {
  controller: "memory",
  v2: ["memory.max", "memory.current"],
  v1: ["memory.limit_in_bytes", "memory.usage_in_bytes"],
} as const;

/** In bytes; null where it is not told. */
export function freeMemory(): number | null {
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(readText("/proc/meminfo") ?? "")?.[1];
  const rooms = limitTexts(FILES).map((text) => {
    const [limit, usage] = text.split(/\s+/).map((part) => Number.parseInt(part, 10));
    return Math.max(0, limit! - usage!);
  });
  const known = [Number(available) * 1024, ...rooms].filter((bytes) => Number.isFinite(bytes));
  return known.length === 0 ? null : Math.min(...known);
}
