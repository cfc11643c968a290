// The requests in flight, the one that has been running longest first.

import type { PoolStatus, WorkerStatus } from "../../admin/contract.ts";
import type { Cell } from "../table.ts";
import { number, requestAge } from "./units.ts";

export interface Running {
  readonly pool: string;
  readonly worker: WorkerStatus;
  readonly ms: number;
}

/** A request from here on is long enough to be seen at a glance. */
const LONG_MS = 5000;

export function running(pools: readonly PoolStatus[]): Running[] {
  return pools
    .flatMap(({ name, groups }) =>
      groups.flatMap(({ workers }) =>
        workers.flatMap((worker) =>
          worker.request_ms === null ? [] : [{ pool: name, worker, ms: worker.request_ms }],
        ),
      ),
    )
    .sort((a, b) => b.ms - a.ms);
}

/** What workers are doing at the moment, by pid. */
export type Doing = ReadonlyMap<number, string>;

/** The head and a row for each, for a table; `doing`: with a column for that. */
export function requestRows(pools: readonly PoolStatus[], doing: Doing | null = null): Cell[][] {
  const rows = running(pools).map(({ pool, worker, ms }): Cell[] => [
    ms >= LONG_MS ? { text: requestAge(ms), tone: "warn" } : requestAge(ms),
    number(worker.pid),
    pool,
    requestText(worker),
    ...(doing === null ? [] : [doing.get(worker.pid) ?? ""]),
  ]);
  const head = ["RUNNING", "WORKER", "POOL", "REQUEST", ...(doing === null ? [] : ["DOING"])];
  return [head, ...rows];
}

export function requestText({ request }: WorkerStatus): string {
  return request === null ? "" : `${request.method} ${request.uri || request.script}`;
}
