// What `status` tells, seen from outside at the moment of asking. The shape goes over the control
// socket as it is; it may grow, names do not change.

import type { PoolConfig } from "../config/model.ts";
import type { Generation } from "../pool/generation.ts";
import type { Pool } from "../pool/pool.ts";
import type { Activity } from "../observe/activity.ts";
import type { RequestRecord } from "../observe/request.ts";
import type { RequestView, Sample } from "../observe/sample.ts";
import type { Handover } from "../sys/exec/handover.ts";
import { addressText } from "../sys/socket/address.ts";
import type { TcpDrops } from "../sys/socket/drops.ts";
import { residentBytes } from "../sys/proc/procfs.ts";
import type { Group } from "../worker/group.ts";
import type { Counts, LastOperation } from "./counts/counts.ts";
import { DURATION_BOUNDS } from "./counts/durations.ts";
import type { PoolCounts, PoolError } from "./counts/pool-counts.ts";
import { backgroundOf } from "./watch/background.ts";
import type { LoadWatch } from "./watch/load-watch.ts";
import type { MemoryWatch, PoolMemory } from "./watch/memory-watch.ts";
import type { PoolLoad } from "./watch/pool-load.ts";
import type { Summary } from "./service-manager/messages.ts";
import { poolsInOrder, type SupervisorState } from "./supervisor-state.ts";
import {
  type WorkerDetails,
  workerDetails,
  type WorkerMemory,
  workerState,
} from "./worker-details.ts";

export interface WorkerStatus extends WorkerDetails, WorkerMemory {
  readonly pid: number;
  readonly state: Exclude<Activity["doing"], "gone">;
  readonly rss_bytes: number | null;
  /** The request it is in, where its program keeps a record of that; null otherwise. */
  readonly request: {
    readonly method: string;
    readonly uri: string;
    readonly query: string;
    readonly script: string;
    /** Bytes of its body. */
    readonly content_length: number;
  } | null;
  /** For how long the request in flight has been seen, in ms; null: there is none. */
  readonly request_ms: number | null;
}

export interface GroupStatus {
  /** The spawned process; with group_size 1 it is the worker itself. */
  readonly pid: number;
  readonly generation: number;
  readonly state: Group["state"];
  readonly uptime_ms: number;
  readonly draining: { readonly age_ms: number; readonly left_ms: number } | null;
  readonly workers: readonly WorkerStatus[];
}

export interface PoolStatus {
  readonly name: string;
  /** serving: all wanted workers are there; degraded: some; down: none; resting: none is wanted until somebody connects; paused: connections wait until `resume`. */
  readonly state: "serving" | "degraded" | "down" | "resting" | "paused";
  readonly listen: string;
  readonly runtime: string;
  readonly user: string | null;
  readonly scaling: string;
  /** Whether its active workers follow the load: not those of a static pool, nor where they cannot be seen. */
  readonly follows_load: boolean;
  readonly generation: number;
  readonly workers: {
    readonly wanted: number;
    readonly idle: number;
    readonly busy: number;
    /** Stopped while idle, because they are not needed now. */
    readonly parked: number;
    /** What they do cannot be seen: no right to look at another user's processes. */
    readonly unknown: number;
    readonly starting: number;
    readonly draining: number;
  };
  /** Connections waiting for a worker, and how many may; null where the kernel does not tell. */
  readonly queue: {
    readonly length: number;
    readonly limit: number;
    /** The most that were seen to wait; a look a second, so a short rush may have been missed. */
    readonly most: number;
    /** How often it was seen to have become full. Of TCP, what the kernel dropped meanwhile is in `tcp_drops`. */
    readonly full: number;
  } | null;
  /** As the supervisor has seen it since it began, with a look a second. */
  readonly load: {
    /** That began, between the last two looks; null where the program does not count them. */
    readonly requests_per_second: number | null;
    /** The most workers that were busy at once. */
    readonly busy_most: number;
    /** How often it came about that all were busy. */
    readonly all_busy: number;
    /** CPU time of the workers, in ms. */
    readonly cpu_ms: number;
    /** What they use now, in hundredths of a processor. */
    readonly cpu_percent: number;
    /** The last looks, oldest first: connections that waited (null: not told) and workers that were busy. */
    readonly queue_recent: readonly (number | null)[];
    readonly busy_recent: readonly number[];
  };
  /**
   * Memory by PSS, which shares what several processes have in common: of all workers (null until each has been
   * looked at, or where it cannot be seen), and of one that has used CPU time, or none yet, on the average.
   */
  readonly memory: {
    readonly pss_bytes: number | null;
    readonly warm_bytes: number | null;
    readonly fresh_bytes: number | null;
  };
  readonly counts: {
    /** Requests that workers have begun, where their program counts them (php-fpm), with a look a second; else null. */
    readonly requests: number | null;
    readonly workers_started: number;
    /** Workers that are gone, by why: recycled, crashed, timed-out, drained, stopped, … */
    readonly workers_ended: Readonly<Record<string, number>>;
    /** Requests that took longer than slow_timeout. */
    readonly slow_requests: number;
    /** Workers that were asked to leave, by the setting that asked for it. */
    readonly recycles: { readonly max_age: number; readonly max_memory: number };
    readonly request_timeouts: number;
    readonly backoffs: number;
    readonly escalations: number;
    readonly lines_dropped: number;
  };
  /** What went wrong last: at, in UTC, and a sentence. */
  readonly last_error: PoolError | null;
  /** Processes that scripts left in the background and that hold the socket. */
  readonly background: number;
  /** Failures in a row; 0 when all is well. */
  readonly failures: number;
  readonly groups: readonly GroupStatus[];
}

/** The supervisor itself: what can be told without a look at any worker. */
export interface SupervisorStatus {
  readonly name: "fcgivisor";
  readonly version: string;
  readonly pid: number;
  readonly state: string;
  /** The operation in progress, or null. */
  readonly operation: string | null;
  readonly started_at: string;
  readonly uptime_ms: number;
  readonly config: string | null;
  readonly socket: string;
  readonly log: string | null;
  readonly generation: number;
  /** The config of an earlier generation is in force instead of what the files say; null when not. */
  readonly rolled_back: { readonly to: number; readonly why: string | null } | null;
  /** Pools that were stopped alone, and are to be started or reloaded. */
  readonly stopped_pools: readonly string[];
  /** The last upgrade of this process, or null. */
  readonly upgrade: UpgradeStatus | null;
  readonly rss_bytes: number | null;
}

export interface Status extends SupervisorStatus {
  /**
   * Connections dropped at full queues since the supervisor began: of all TCP sockets of this machine (its network
   * namespace), because the kernel counts them together; null: not told.
   */
  readonly tcp_drops: TcpDrops | null;
  readonly last_reload: LastOperation | null;
  /** How operations have ended; `up_to`: how many took no longer than each of these seconds. */
  readonly operations: readonly {
    readonly operation: string;
    readonly result: "done" | "failed";
    readonly count: number;
    readonly sum_ms: number;
    readonly up_to: readonly (readonly [seconds: number, count: number])[];
  }[];
  /** How often emergency_restart_threshold was reached. */
  readonly emergencies: number;
  readonly pools: readonly PoolStatus[];
}

export interface UpgradeStatus {
  readonly id: string;
  /** The version that handed over. */
  readonly from: string;
  /** Why it failed and this is the old program again; null when it did not. */
  readonly failure: string | null;
}

export function upgradeStatus(handover: Handover | null): UpgradeStatus | null {
  if (handover === null) return null;
  return { id: handover.id, from: handover.from, failure: handover.failure ?? null };
}

/** The counts that are of no pool. */
export function countsStatus({
  lastReload,
  operations,
  emergencies,
}: Counts): Pick<Status, "last_reload" | "operations" | "emergencies"> {
  return {
    last_reload: lastReload,
    operations: operations.map(({ operation, result, durations: { count, sumMs, upTo } }) => ({
      operation,
      result,
      count,
      sum_ms: Math.round(sumMs),
      up_to: DURATION_BOUNDS.map((bound, i) => [bound, upTo[i] ?? 0] as const),
    })),
    emergencies,
  };
}

/** What is kept of pools beside the pools themselves. */
export interface Watches {
  readonly load: LoadWatch;
  readonly memory: MemoryWatch;
  readonly counts: Counts;
}

interface Kept {
  readonly load: PoolLoad;
  readonly memory: PoolMemory;
  readonly counts: PoolCounts;
}

export function poolStatuses(
  state: SupervisorState,
  { load, memory, counts }: Watches,
): PoolStatus[] {
  const sample = state.scoreboard.now();
  const background = backgroundOf(state);
  return poolsInOrder(state).map((pool) => {
    const kept = {
      load: load.of(pool.name),
      memory: memory.of(pool, sample),
      counts: counts.ofPool(pool.name),
    };
    return poolStatus(pool, sample, kept, background.get(pool.name)?.length ?? 0);
  });
}

function poolStatus(
  pool: Pool,
  sample: Sample,
  { load, memory, counts }: Kept,
  background: number,
): PoolStatus {
  const { config, current } = pool;
  const statusesOf = ({ all }: Generation) => all.map((group) => groupStatus(group, sample));
  const own = statusesOf(current);
  const leaving = pool.leaving.flatMap(statusesOf);
  const serving = own.filter(({ state }) => state === "serving" || state === "orphaned");
  const workers = serving.flatMap((group) => group.workers);
  const idle = workers.filter(({ state }) => state === "idle").length;
  const parked = workers.filter(({ state }) => state === "parked").length;
  const unknown = workers.filter(({ state }) => state === "unknown").length;
  const draining = [...own, ...leaving].filter(({ draining }) => draining !== null);
  const starting = current.all.filter(({ state }) => state === "starting");
  return {
    name: pool.name,
    state: stateOf(pool, workers.length),
    listen: addressText(pool.listener.address),
    runtime: current.context.runtime.name,
    user: config.user,
    scaling: config.scaling,
    follows_load: current.limits !== null && !current.isBlind,
    generation: current.context.number,
    workers: {
      wanted: pool.target,
      idle,
      busy: workers.length - idle - parked - unknown,
      parked,
      unknown,
      starting: starting.reduce((sum, { shape }) => sum + shape.size, 0),
      draining: draining.reduce((sum, group) => sum + group.workers.length, 0),
    },
    queue: queueStatus(pool, load),
    load: loadStatus(load),
    memory: { pss_bytes: memory.pss, warm_bytes: memory.warm, fresh_bytes: memory.fresh },
    counts: poolCountsStatus(counts, load),
    last_error: counts.lastError,
    background,
    failures: current.failures,
    groups: [...own, ...leaving.filter((group) => !own.includes(group))],
  };
}

function queueStatus({ listener }: Pool, load: PoolLoad): PoolStatus["queue"] {
  const queue = listener.queue();
  if (queue === null) return null;
  const most = Math.max(queue.length, load.queueMost ?? 0);
  return { ...queue, most, full: load.queueFullTimes };
}

function loadStatus({
  busyMost,
  allBusyTimes,
  cpuMs,
  cpuPercent,
  recent,
  requestsPerSecond,
}: PoolLoad): PoolStatus["load"] {
  return {
    requests_per_second:
      requestsPerSecond === null ? null : Math.round(requestsPerSecond * 10) / 10,
    busy_most: busyMost,
    all_busy: allBusyTimes,
    cpu_ms: cpuMs,
    cpu_percent: cpuPercent,
    queue_recent: recent.map(({ queue }) => queue),
    busy_recent: recent.map(({ busy }) => busy),
  };
}

function poolCountsStatus(counts: PoolCounts, { requests }: PoolLoad): PoolStatus["counts"] {
  return {
    requests,
    workers_started: counts.started,
    workers_ended: counts.ended,
    slow_requests: counts.slowRequests,
    recycles: counts.recycles,
    request_timeouts: counts.requestTimeouts,
    backoffs: counts.backoffs,
    escalations: counts.escalations,
    lines_dropped: counts.linesDropped,
  };
}

function stateOf({ current, target }: Pool, workers: number): PoolStatus["state"] {
  if (current.isPaused) return "paused";
  if (current.isResting) return "resting";
  if (workers >= target) return "serving";
  return workers > 0 ? "degraded" : "down";
}

function groupStatus(group: Group, sample: Sample): GroupStatus {
  const requests = sample.requests(group.members);
  const workers = sample.workers(group.members).map((worker): WorkerStatus => ({
    pid: worker.pid,
    state: workerState(worker, requests.get(worker.pid)?.record),
    ...workerDetails(worker, sample.takenAt),
    rss_bytes: residentBytes(worker.pid),
    request: requestStatus(requests.get(worker.pid)?.record ?? null),
    request_ms: requestAge(worker.since, requests.get(worker.pid), sample.takenAt),
  }));
  const { draining } = group;
  return {
    pid: group.leader.pid,
    generation: group.context.generation,
    state: group.state,
    uptime_ms: Math.round(group.uptimeMs),
    draining:
      draining === null
        ? null
        : { age_ms: Math.round(draining.ageMs), left_ms: Math.round(draining.leftMs) },
    workers,
  };
}

/** The same in a few numbers, without a look into /proc. */
export function summaryOf(state: SupervisorState): Summary {
  const serving = poolsInOrder(state)
    .flatMap((pool) => pool.current.all)
    .filter(({ state }) => state === "serving");
  return {
    pools: state.config.pools.length,
    workers: serving.reduce((sum, { shape }) => sum + shape.size, 0),
    wanted: state.config.pools.reduce((sum, pool) => sum + wantedOf(state, pool), 0),
    generation: state.generation,
  };
}

/** `busySince`: since when it has this connection, which is older than the request where it is kept open. */
function requestAge(
  busySince: number,
  request: RequestView | undefined,
  time: number,
): number | null {
  if (request === undefined || request.since === null) return null;
  const { record, since } = request;
  const isOnly = record !== null && record !== "none" && !record.kept;
  return Math.round(time - (isOnly ? busySince : since));
}

function wantedOf({ pools }: SupervisorState, { name, workers }: PoolConfig): number {
  return pools.get(name)?.current.isResting === true ? 0 : workers;
}

function requestStatus(record: RequestRecord): WorkerStatus["request"] {
  if (record === null || record === "none") return null;
  const { method, uri, query, script, contentLength } = record;
  return { method, uri, query, script, content_length: contentLength };
}

function canTake({ current, leaving }: Pool): boolean {
  if (current.isResting) return !current.isPaused;
  return [current, ...leaving].some(({ all }) => all.some(canServe));
}

function canServe({ wasReady, members, parked }: Group): boolean {
  return wasReady !== null && members.workers().some((worker) => !parked.has(worker));
}

/**
 * Whether every pool can take a request: a socket that accepts, and at least one worker that serves, unless
 * it is at rest, when a connection starts them.
 */
export function isReady(state: SupervisorState): boolean {
  const pools = poolsInOrder(state);
  return pools.length > 0 && pools.every((pool) => pool.listener.accepts && canTake(pool));
}
