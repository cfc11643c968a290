// The answer of a supervisor that is older than this program (a package was upgraded, the process was not): what it
// does not tell yet is unknown, and shown as such. The texts behind this door need no checks of their own.

import type { GroupStatus, PoolStatus, Status, WorkerStatus } from "../../admin/contract.ts";

/** A number that is not told; units.ts shows it as `?`. No comparison with it is true. */
const UNKNOWN = Number.NaN;
const UNKNOWN_TEXT = "?";

const WORKER: WorkerStatus = {
  pid: UNKNOWN,
  state: "unknown",
  rss_bytes: null,
  request: null,
  request_ms: null,
  state_ms: UNKNOWN,
  age_ms: null,
  cpu_ms: UNKNOWN,
};

const GROUP: GroupStatus = {
  pid: UNKNOWN,
  generation: UNKNOWN,
  state: "serving",
  uptime_ms: UNKNOWN,
  draining: null,
  workers: [],
};

const POOL: PoolStatus = {
  name: UNKNOWN_TEXT,
  state: "serving",
  listen: UNKNOWN_TEXT,
  runtime: UNKNOWN_TEXT,
  user: null,
  scaling: UNKNOWN_TEXT,
  // No note that it cannot.
  follows_load: true,
  generation: UNKNOWN,
  workers: {
    wanted: UNKNOWN,
    idle: UNKNOWN,
    busy: UNKNOWN,
    parked: UNKNOWN,
    unknown: 0,
    starting: UNKNOWN,
    draining: UNKNOWN,
  },
  queue: null,
  load: {
    busy_most: UNKNOWN,
    all_busy: UNKNOWN,
    cpu_ms: UNKNOWN,
    requests_per_second: null,
    cpu_percent: UNKNOWN,
    queue_recent: [],
    busy_recent: [],
  },
  memory: { pss_bytes: null, warm_bytes: null, fresh_bytes: null },
  counts: {
    requests: null,
    workers_started: UNKNOWN,
    workers_ended: {},
    slow_requests: UNKNOWN,
    recycles: { max_age: UNKNOWN, max_memory: UNKNOWN },
    request_timeouts: UNKNOWN,
    backoffs: UNKNOWN,
    escalations: UNKNOWN,
    lines_dropped: UNKNOWN,
  },
  last_error: null,
  background: UNKNOWN,
  failures: UNKNOWN,
  groups: [],
};

const QUEUE: NonNullable<PoolStatus["queue"]> = {
  length: UNKNOWN,
  limit: UNKNOWN,
  most: UNKNOWN,
  full: UNKNOWN,
};

const STATUS: Status = {
  name: "fcgivisor",
  version: UNKNOWN_TEXT,
  pid: UNKNOWN,
  state: UNKNOWN_TEXT,
  operation: null,
  started_at: UNKNOWN_TEXT,
  uptime_ms: UNKNOWN,
  config: null,
  socket: UNKNOWN_TEXT,
  log: null,
  generation: UNKNOWN,
  rolled_back: null,
  stopped_pools: [],
  upgrade: null,
  rss_bytes: null,
  tcp_drops: null,
  last_reload: null,
  operations: [],
  emergencies: UNKNOWN,
  pools: [],
};

/** The same with every name that this program knows. */
export function withUnknown(status: Status): Status {
  const whole = filled(status, STATUS);
  return { ...whole, pools: whole.pools.map(wholePool) };
}

function wholePool(pool: PoolStatus): PoolStatus {
  const whole = filled(pool, POOL);
  const { queue } = whole;
  return {
    ...whole,
    queue: queue === null ? null : filled(queue, QUEUE),
    groups: whole.groups.map((group) => {
      const { workers, ...rest } = filled(group, GROUP);
      return { ...rest, workers: workers.map((worker) => filled(worker, WORKER)) };
    }),
  };
}

/** What is not there, or in a part of it, is taken from `unknown`. */
function filled<T extends object>(told: T, unknown: T): T {
  const entries = Object.entries(unknown).map(([name, instead]) => {
    const value: unknown = (told as Readonly<Record<string, unknown>>)[name];
    if (value === undefined) return [name, instead];
    return [name, isTable(value) && isTable(instead) ? filled(value, instead) : value];
  });
  return { ...told, ...Object.fromEntries(entries) };
}

function isTable(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
