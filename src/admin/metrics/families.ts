// The status as metric families. What cannot be seen has no sample: 0 would say that there is nothing.

import type { PoolStatus, Status } from "../../supervisor/status.ts";
import { phpFpmFamilies } from "./phpfpm.ts";
import type { Family, Labels, Sample } from "./text.ts";

/** `workers`: also for each worker. */
export function familiesOf(status: Status, workers = false): Family[] {
  return [
    ...supervisorFamilies(status),
    ...operationFamilies(status),
    ...poolFamilies(status.pools),
    ...loadFamilies(status.pools),
    ...countFamilies(status.pools),
    ...(workers ? workerFamilies(status.pools) : []),
    ...phpFpmFamilies(status),
  ];
}

type Row = { readonly name: string; readonly help: string };

function gauge({ name, help }: Row, samples: readonly Sample[]): Family {
  return { name: `fcgivisor_${name}`, help, type: "gauge", samples };
}

function counter({ name, help }: Row, samples: readonly Sample[]): Family {
  return { name: `fcgivisor_${name}`, help, type: "counter", samples };
}

function one(value: number | null): Sample[] {
  return value === null ? [] : [[{}, value]];
}

/** A sample for each pool that has the value. */
function each(
  pools: readonly PoolStatus[],
  value: (pool: PoolStatus) => number | null | undefined,
  labels: Labels = {},
): Sample[] {
  return pools.flatMap((pool) => {
    const number = value(pool);
    return number === null || number === undefined
      ? []
      : [[{ pool: pool.name, ...labels }, number] as const];
  });
}

function supervisorFamilies(status: Status): Family[] {
  const { version, generation, uptime_ms, rss_bytes, tcp_drops } = status;
  return [
    {
      name: "fcgivisor_build",
      help: "The version that runs.",
      type: "info",
      samples: [[{ version }, 1]],
    },
    gauge({ name: "up", help: "1 while the supervisor runs." }, [[{}, 1]]),
    gauge(
      { name: "generation", help: "Grows with every start, reload and restart." },
      one(generation),
    ),
    gauge({ name: "uptime_seconds", help: "Age of the supervisor." }, one(uptime_ms / 1000)),
    gauge(
      { name: "resident_memory_bytes", help: "Memory of the supervisor itself." },
      one(rss_bytes),
    ),
    counter(
      {
        name: "tcp_listen_overflows",
        help: "Connections that found a full queue, of all TCP sockets of this machine, since the start.",
      },
      one(tcp_drops?.overflows ?? null),
    ),
    counter(
      {
        name: "tcp_listen_drops",
        help: "Connection attempts dropped, of all TCP sockets of this machine, since the start.",
      },
      one(tcp_drops?.drops ?? null),
    ),
    counter(
      { name: "emergencies", help: "Times that emergency_restart_threshold was reached." },
      one(status.emergencies),
    ),
  ];
}

function operationFamilies({ operations }: Status): Family[] {
  return [
    {
      name: "fcgivisor_operation_duration_seconds",
      help: "How long reloads and other operations took, by how they ended.",
      type: "histogram",
      series: operations.map(({ operation, result, count, sum_ms, up_to }) => ({
        labels: { operation, result },
        upTo: up_to,
        count,
        sum: sum_ms / 1000,
      })),
    },
  ];
}

function poolFamilies(pools: readonly PoolStatus[]): Family[] {
  return [
    gauge(
      { name: "pool_up", help: "1 while a worker of the pool serves." },
      each(pools, ({ state }) => (state === "down" ? 0 : 1)),
    ),
    gauge(
      { name: "pool_workers_wanted", help: "Workers a pool should have." },
      each(pools, ({ workers }) => workers.wanted),
    ),
    gauge({ name: "pool_workers", help: "Workers by state." }, pools.flatMap(workerSamples)),
    gauge(
      {
        name: "pool_follows_load",
        help: "1 while workers are woken and parked as the load needs them, 0 where they cannot be seen; not of a static pool.",
      },
      each(pools, followsLoad),
    ),
    gauge(
      { name: "pool_failures", help: "Failed starts and early crashes in a row." },
      each(pools, ({ failures }) => failures),
    ),
    gauge(
      {
        name: "pool_oldest_request_seconds",
        help: "For how long the oldest request in flight has been seen; 0 without one.",
      },
      each(pools, oldestRequest),
    ),
    gauge(
      {
        name: "pool_resident_memory_bytes",
        help: "Memory of the workers, what they share counted for each.",
      },
      each(pools, memory),
    ),
    gauge(
      {
        name: "pool_memory_bytes",
        help: "Memory of the workers, what they share counted once (PSS); looked at in turns.",
      },
      each(pools, (pool) => pool.memory.pss_bytes),
    ),
  ];
}

function workerSamples({ name, workers: { wanted: _, ...states } }: PoolStatus): Sample[] {
  return Object.entries(states).map(([state, count]) => [{ pool: name, state }, count]);
}

/** null: nobody has asked it to. */
function followsLoad({ scaling, follows_load }: PoolStatus): number | null {
  if (follows_load) return 1;
  return scaling === "static" ? null : 0;
}

/** Seconds; null where it cannot be seen who is busy. */
export function oldestRequest(pool: PoolStatus): number | null {
  if (pool.workers.unknown > 0) return null;
  const ages = workersOf(pool).map(({ request_ms }) => request_ms ?? 0);
  return Math.max(0, ...ages) / 1000;
}

function memory(pool: PoolStatus): number {
  return workersOf(pool).reduce((sum, { rss_bytes }) => sum + (rss_bytes ?? 0), 0);
}

function workersOf({ groups }: PoolStatus) {
  return groups.flatMap(({ workers }) => workers);
}

function loadFamilies(pools: readonly PoolStatus[]): Family[] {
  return [
    gauge(
      { name: "pool_queue_length", help: "Connections waiting for a worker." },
      each(pools, ({ queue }) => queue?.length),
    ),
    gauge(
      { name: "pool_queue_limit", help: "Connections that may wait." },
      each(pools, ({ queue }) => queue?.limit),
    ),
    gauge(
      { name: "pool_queue_length_max", help: "The most that were seen to wait since the start." },
      each(pools, ({ queue }) => queue?.most),
    ),
    counter(
      { name: "pool_queue_full", help: "Times that the queue was seen to have become full." },
      each(pools, ({ queue }) => queue?.full),
    ),
    gauge(
      {
        name: "pool_busy_workers_max",
        help: "The most workers that were seen busy since the start.",
      },
      each(pools, ({ load }) => load.busy_most),
    ),
    counter(
      { name: "pool_all_busy", help: "Times that all workers were seen to have become busy." },
      each(pools, ({ load }) => load.all_busy),
    ),
    counter(
      { name: "pool_cpu_seconds", help: "CPU time of the workers." },
      each(pools, ({ load }) => load.cpu_ms / 1000),
    ),
  ];
}

function countFamilies(pools: readonly PoolStatus[]): Family[] {
  const count = (name: string, help: string, value: (counts: PoolStatus["counts"]) => number) =>
    counter(
      { name, help },
      each(pools, ({ counts }) => value(counts)),
    );
  return [
    counter(
      { name: "pool_requests", help: "Requests begun, where the program counts them: php-fpm." },
      each(pools, ({ counts }) => counts.requests),
    ),
    count(
      "pool_workers_started",
      "Workers started by the supervisor; a leader refills by itself.",
      (counts) => counts.workers_started,
    ),
    counter(
      { name: "pool_workers_ended", help: "Workers that are gone, by why." },
      pools.flatMap(({ name, counts }) =>
        Object.entries(counts.workers_ended).map(([reason, number]): Sample => [
          { pool: name, reason },
          number,
        ]),
      ),
    ),
    counter(
      { name: "pool_recycles", help: "Workers asked to leave, by the setting that asked for it." },
      pools.flatMap(({ name, counts }) =>
        Object.entries(counts.recycles).map(([reason, number]): Sample => [
          { pool: name, reason },
          number,
        ]),
      ),
    ),
    count(
      "pool_slow_requests",
      "Requests that took longer than slow_timeout.",
      (counts) => counts.slow_requests,
    ),
    count(
      "pool_request_timeouts",
      "Requests that request_timeout ended.",
      (counts) => counts.request_timeouts,
    ),
    count(
      "pool_backoffs",
      "Times that a start had to wait after failures.",
      (counts) => counts.backoffs,
    ),
    count(
      "pool_drain_escalations",
      "Workers that had not left in time and got a harder signal.",
      (counts) => counts.escalations,
    ),
    count(
      "pool_output_lines_dropped",
      "Lines of workers that log_rate did not let pass.",
      (counts) => counts.lines_dropped,
    ),
  ];
}

const RESTS = ["idle", "parked"];

function workerFamilies(pools: readonly PoolStatus[]): Family[] {
  const samples = (value: (worker: ReturnType<typeof workersOf>[number]) => number | null) =>
    pools.flatMap((pool) =>
      workersOf(pool).flatMap((worker): Sample[] => {
        const number = value(worker);
        return number === null ? [] : [[{ pool: pool.name, pid: String(worker.pid) }, number]];
      }),
    );
  return [
    gauge(
      {
        name: "worker_busy",
        help: "1 while it has a request; no sample where that cannot be seen.",
      },
      samples(({ state }) => (state === "unknown" ? null : RESTS.includes(state) ? 0 : 1)),
    ),
    gauge(
      { name: "worker_request_seconds", help: "For how long its request has been seen." },
      samples(({ request_ms }) => (request_ms === null ? null : request_ms / 1000)),
    ),
    gauge(
      { name: "worker_resident_memory_bytes", help: "Its memory, with what it shares." },
      samples(({ rss_bytes }) => rss_bytes),
    ),
  ];
}
