// Turns a draft into the frozen Config: every row read, every default filled in, every rule checked.

import { join } from "node:path";
import { parseAddress } from "../sys/socket/address.ts";
import { poolOf } from "./settings/assemble.ts";
import type { Draft, Entry, PoolDraft } from "./draft.ts";
import {
  freeze,
  type AdminConfig,
  type Config,
  type MetricsConfig,
  type SupervisorConfig,
} from "./model.ts";
import type { Problems, Where } from "./problems.ts";
import type { ReadPool } from "./rules/read-pool.ts";
import { checkMaxWorkers } from "./rules/max-workers.ts";
import { checkMetrics } from "./rules/metrics.ts";
import { checkPools } from "./rules.ts";
import { readSection } from "./settings/section.ts";
import type { Rows } from "./settings/setting.ts";
import { ADMIN, LOG, METRICS, POOL, SUPERVISOR } from "./settings/settings.ts";
import type { Parsed } from "./settings/values.ts";

export interface Surroundings {
  readonly uid: number | null;
  readonly stateDirDefault: string;
}

/** Whatever is wrong goes to `problems`; the config is only to be used when there are no errors. */
export function resolveDraft(
  draft: Draft,
  surroundings: Surroundings,
  problems: Problems,
  origins: Map<string, string>,
): Config {
  const where: Where = draft.source.file === null ? "command line" : { file: draft.source.file };
  const shared = new Map<Entry, Parsed<unknown>>();
  const read = <S extends Rows>(rows: S, prefix: string, entries: readonly Entry[], at: Where) =>
    readSection(rows, {
      prefix,
      where: at,
      entries,
      format: draft.source.format,
      problems,
      origins,
      shared,
    });
  const supervisorRead = read(SUPERVISOR, "supervisor", draft.supervisor, where);
  const s = supervisorRead.values;
  const admin = read(ADMIN, "admin", draft.admin, where);
  const log = read(LOG, "log", draft.log, where).values;
  const metrics = read(METRICS, "metrics", draft.metrics, where);
  const stateDir = s.state_dir ?? surroundings.stateDirDefault;
  const socket = admin.values.socket ?? join(stateDir, "admin.sock");
  const said = admin.given("socket") ? admin.place("socket") : supervisorRead.place("state_dir");
  checkSocket(socket, said, problems);
  const pools = draft.pools.map((pool) => readPool(withOwnSocket(pool, stateDir), read));
  checkPoolSockets(socket, pools, problems);
  checkMetrics(metrics, socket, pools, problems);
  const supervisor = supervisorOf(s, stateDir, draft.daemonize);
  if (pools.length === 0) noPools(draft, where, problems);
  const { format } = draft.source;
  checkPools(pools, { allowRoot: supervisor.allowRoot, uid: surroundings.uid, format }, problems);
  const enabled = pools.map((pool) => pool.config).filter((pool) => pool.enabled);
  checkMaxWorkers(s.max_workers, enabled, supervisorRead.place("max_workers"), format, problems);
  return freeze({
    source: draft.source,
    supervisor,
    admin: adminOf(admin, socket, problems),
    log: { file: log.file, level: log.level, format: log.format },
    metrics: metricsOf(metrics.values),
    pools: pools.map((pool) => pool.config),
  });
}

type Read = <S extends Rows>(
  rows: S,
  prefix: string,
  entries: readonly Entry[],
  at: Where,
) => ReturnType<typeof readSection<S>>;

function readPool(pool: PoolDraft, read: Read): ReadPool {
  const section = read(POOL, `pools.${pool.name}`, pool.entries, pool.where);
  return {
    ...section,
    config: poolOf(pool.name, pool.where, section.values, (directive) =>
      section.place("fpm", directive),
    ),
  };
}

/** `listen = "auto"`: a socket that needs neither a port nor a folder of its own, at the same path each time. */
function withOwnSocket(pool: PoolDraft, stateDir: string): PoolDraft {
  const own = join(stateDir, `${pool.name}.sock`);
  const isAuto = ({ name, raw }: Entry) => name === "listen.address" && raw === "auto";
  if (!pool.entries.some(isAuto)) return pool;
  const entries = pool.entries.map((entry) => (isAuto(entry) ? { ...entry, raw: own } : entry));
  return { ...pool, entries };
}

function supervisorOf(
  s: ReturnType<typeof readSection<typeof SUPERVISOR>>["values"],
  stateDir: string,
  daemonize: boolean | null,
): SupervisorConfig {
  return {
    pidFile: s.pid_file,
    stateDir,
    allowRoot: s.allow_root,
    stopSignalMeans: s.stop_signal_means,
    daemonize,
    emergencyRestartThreshold: s.emergency_restart_threshold,
    emergencyRestartIntervalMs: s.emergency_restart_interval,
    maxWorkers: s.max_workers,
  };
}

/** Who is told from others by his group must be able to connect: one group alone a mode can let in. */
const FOR_ROLES = 0o666;

function adminOf(
  { values: admin, given, place }: ReturnType<typeof readSection<typeof ADMIN>>,
  socket: string,
  problems: Problems,
): AdminConfig {
  const roles = [admin.operators, admin.readers].filter((group) => group !== null);
  const mode = roles.length > 0 && !given("mode") ? FOR_ROLES : admin.mode;
  const shutOut = roles.find((group) => group !== admin.group || (mode & 0o020) === 0);
  if (shutOut !== undefined && (mode & 0o002) === 0)
    problems.warn(
      `the control socket's mode lets the group ${shutOut} not connect`,
      place("mode"),
      "leave mode out: who may do what is then told by the groups of whoever connects",
    );
  return {
    socket,
    owner: admin.owner,
    group: admin.group,
    mode,
    readers: admin.readers,
    operators: admin.operators,
    readOnlySocket: admin.read_only_socket,
    readOnlyGroup: admin.read_only_group,
    readOnlyMode: admin.read_only_mode,
  };
}

function metricsOf(
  metrics: ReturnType<typeof readSection<typeof METRICS>>["values"],
): MetricsConfig {
  const { listen, page, token_file: tokenFile, group, mode } = metrics;
  return { listen, page, tokenFile, group, mode };
}

function checkSocket(socket: string, where: Where, problems: Problems): void {
  const parsed = parseAddress(`unix:${socket}`, (path) => path);
  if ("problem" in parsed) problems.error(`control socket: ${parsed.problem}`, where, parsed.hint);
}

function checkPoolSockets(socket: string, pools: readonly ReadPool[], problems: Problems): void {
  for (const { config, failed, place } of pools) {
    const { address } = config.listen;
    if (failed.has("listen.address") || address.kind !== "unix" || address.path !== socket)
      continue;
    problems.error(
      `pool ${config.name}: ${socket} is the control socket`,
      place("listen.address"),
      "listen somewhere else, or set another [admin] socket",
    );
  }
}

function noPools(draft: Draft, where: Where, problems: Problems): void {
  if (draft.source.format === "legacy-xml") return; // the reader knows better what is missing
  problems.error(
    "there is no pool in this config",
    where,
    draft.source.format === "php-fpm-ini"
      ? "add one, or the include that brings it: include = pool.d/*.conf"
      : 'the least there can be: [pools.www] with listen = "127.0.0.1:9000" and command = ["php-cgi"]; `fcgivisor init` prints a config that fits this machine',
  );
}
