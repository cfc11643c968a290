// Whether a worker has lived or grown enough. Pure: what is seen of it goes in, the reason comes out. Ages
// differ from worker to worker, so that those that started together are not replaced together.

import type { PoolConfig } from "../config/model.ts";

export type RecyclingLimits = Pick<PoolConfig, "maxAgeMs" | "maxMemory">;

export interface WorkerBulk {
  readonly pid: number;
  readonly ageMs: number;
  /** Bytes of its own, shared ones not counted; null = that cannot be seen. */
  readonly privateBytes: number | null;
}

export type RecyclingReason =
  { readonly why: "age"; readonly ms: number } | { readonly why: "memory"; readonly bytes: number };

/** Up to so much longer than max_age. */
const JITTER = 0.1;

export function recyclingReason(
  { pid, ageMs, privateBytes }: WorkerBulk,
  { maxAgeMs, maxMemory }: RecyclingLimits,
): RecyclingReason | null {
  if (maxAgeMs > 0 && ageMs > maxAgeMs * (1 + JITTER * shareOf(pid)))
    return { why: "age", ms: ageMs };
  if (maxMemory !== "unlimited" && privateBytes !== null && privateBytes > maxMemory)
    return { why: "memory", bytes: privateBytes };
  return null;
}

/** From 0 to 1, the same each time for a process, and spread evenly over those that follow each other. */
function shareOf(pid: number): number {
  const GOLDEN_RATIO = 0.618_033_988_75;
  return (pid * GOLDEN_RATIO) % 1;
}

export function recycles({ maxAgeMs, maxMemory }: RecyclingLimits): boolean {
  return maxAgeMs > 0 || maxMemory !== "unlimited";
}
