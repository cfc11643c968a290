// Puts the values of the settings table into the shape of the model.

import type { FileLine, HealthConfig, PoolConfig } from "../model.ts";
import type { Where } from "../problems.ts";
import type { Values } from "./setting.ts";
import type { POOL } from "./settings.ts";

type PoolValues = Values<typeof POOL>;

/** `placeOf`: where one directive of `fpm` stands. */
export function poolOf(
  name: string,
  where: Where,
  v: PoolValues,
  placeOf: (directive: string) => Where,
): PoolConfig {
  return {
    name,
    listen: {
      address: v["listen.address"],
      backlog: v["listen.backlog"],
      owner: v["listen.owner"],
      group: v["listen.group"],
      mode: v["listen.mode"],
      aclUsers: v["listen.acl_users"],
      aclGroups: v["listen.acl_groups"],
    },
    command: v.command,
    runtime: v.runtime,
    user: v.user,
    group: v.group,
    scaling: v.scaling,
    workers: v.workers,
    startWorkers: v.start_workers,
    minSpare: v.min_spare,
    maxSpare: v.max_spare,
    idleTimeoutMs: v.idle_timeout,
    groupSize: v.group_size,
    maxRequests: v.max_requests,
    maxRequestsJitter: v.max_requests_jitter,
    startTimeoutMs: v.start_timeout,
    drainTimeoutMs: v.drain_timeout,
    requestTimeoutMs: v.request_timeout,
    stopSignal: v.stop_signal,
    chdir: v.chdir,
    chroot: v.chroot,
    umask: v.umask,
    nice: v.nice,
    rlimitFiles: v.rlimit_files,
    rlimitCore: v.rlimit_core,
    rlimitProcesses: v.rlimit_processes,
    rlimitMemory: v.rlimit_memory,
    memoryMax: v.memory_max,
    pidsMax: v.pids_max,
    noNewPrivs: v.no_new_privs,
    privateTmp: v.private_tmp,
    readOnly: v.read_only,
    writable: v.writable,
    clearEnv: v.clear_env,
    env: v.env,
    allowedClients: v.allowed_clients,
    logOutput: v.log_output,
    logRate: v.log_rate,
    php: {
      ini: v["php.ini"],
      defines: v["php.defines"],
      admin: v["php.admin"],
      errors: v["php.errors"],
    },
    fpm: v.fpm,
    health: healthOf(v),
    reload: { maxExtra: v["reload.max_extra"], probationMs: v["reload.probation"] },
    place: placeFor(where, v.fpm, placeOf),
  };
}

function placeFor(
  where: Where,
  fpm: PoolConfig["fpm"],
  placeOf: (directive: string) => Where,
): PoolConfig["place"] {
  const pool = fileLine(where);
  if (pool === null) return null;
  const places = [...fpm.keys()].map((name) => [name, fileLine(placeOf(name)) ?? pool] as const);
  return { ...pool, fpm: new Map(places) };
}

function fileLine(where: Where): FileLine | null {
  return typeof where === "string" ? null : { file: where.file, line: where.line ?? 1 };
}

function healthOf(v: PoolValues): HealthConfig | null {
  const { "health.script": script, "health.path": path } = v;
  const { "health.status": status, "health.timeout": timeoutMs } = v;
  // Only script and path have no default: without either nothing is asked for.
  if ((script === null && path === null) || status === null || timeoutMs === null) return null;
  return { script, path, expect: v["health.expect"], status, timeoutMs };
}
