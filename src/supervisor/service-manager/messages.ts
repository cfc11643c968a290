// What a service manager is told of each event, as lines of sd_notify(3). Pure: state and time come in.

import type { Event } from "../../event.ts";
import { type Fault, faultLines } from "../../fault.ts";

/** What the status line says; plain numbers, so that it costs nothing to look. */
export interface Summary {
  readonly pools: number;
  readonly workers: number;
  readonly wanted: number;
  readonly generation: number;
}

/** The operations during which the manager is to wait. */
const RELOADS = ["reload", "restart", "upgrade"];

export function isReload(operation: string): boolean {
  return RELOADS.includes(operation);
}

/** One line for people, as `systemctl status` shows it. */
export function statusLine(doing: string, { pools, workers, wanted, generation }: Summary): string {
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;
  const there = workers === wanted ? count(workers, "worker") : `${workers} of ${wanted} workers`;
  return `STATUS=${doing}: ${count(pools, "pool")}, ${there}, generation ${generation}`;
}

/** It serves, and this is the process that does: after an upgrade or `start` the manager may not know. */
export function readyLines(pid: number): string[] {
  return ["READY=1", `MAINPID=${pid}`];
}

export function reloadingLines(monotonicMicroseconds: bigint): string[] {
  return ["RELOADING=1", `MONOTONIC_USEC=${monotonicMicroseconds}`];
}

/** The reason in one line, and the errno where the system gave one. */
export function failureLines(fault: Fault): string[] {
  const text = faultLines(fault)
    .map((line) => line.trim())
    .join("; ");
  const errno = errnoOf(fault);
  return [`STATUS=failed: ${text}`, ...(errno === null ? [] : [`ERRNO=${errno}`])];
}

/** The runtime's errors have it negative, our own of a system call as it is. */
function errnoOf(error: unknown): number | null {
  if (typeof error !== "object" || error === null) return null;
  const { errno, cause, parts } = error as { errno?: unknown; cause?: unknown; parts?: unknown };
  if (typeof errno === "number" && errno !== 0) return Math.abs(errno);
  const below = [cause, ...(Array.isArray(parts) ? parts : [])];
  return below.map(errnoOf).find((found) => found !== null) ?? null;
}

/** Events after which the status line or the set of sockets may be another. */
export function changesSummary(event: Event): boolean {
  switch (event.type) {
    case "group-ready":
    case "group-ended":
    case "generation-ready":
    case "drain-finished":
    case "recovered":
    case "pool-recovered":
      return true;
    default:
      return false;
  }
}
