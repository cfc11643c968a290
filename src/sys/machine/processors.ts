// How many processors this process may use: those it may run on (sched_setaffinity(2)), or fewer where a
// control group allows less time.

import { availableParallelism } from "node:os";
import { limitTexts } from "./group-limits.ts";

const FILES = {
  controller: "cpu",
  v2: "cpu.max",
  v1: ["cpu.cfs_quota_us", "cpu.cfs_period_us"],
} as const;

/** At least one; a part of a processor counts as a whole one. */
export function processors(): number {
  const quotas = limitTexts(FILES).map(quota);
  const limits = quotas.flatMap((limit) => (limit === null ? [] : [Math.ceil(limit)]));
  return Math.max(1, Math.min(availableParallelism(), ...limits));
}

/** `QUOTA PERIOD`, both in microseconds, as processors; null: no limit ("max", -1), or none that is told. */
export function quota(text: string): number | null {
  const [, time, period] = /^(\d+)\s+(\d+)\s*$/.exec(text) ?? [];
  return time === undefined || Number(period) === 0 ? null : Number(time) / Number(period);
}
