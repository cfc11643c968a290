// CPU time of a process, from the kernel's own count.

import { readFileSync } from "node:fs";

/** USER_HZ, which Linux has had at 100 on every architecture that matters here (times(2)). */
const TICKS_A_SECOND = 100;

/** Milliseconds that a process has used so far, user and system. */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND;
}
