// What a reload has to do, as data: the running config and the next one side by side. It only
// compares; the story of the reload decides what to make of it.

import { sameAddress } from "../../sys/socket/address.ts";
import type {
  AdminConfig,
  Config,
  LogConfig,
  MetricsConfig,
  PoolConfig,
  SupervisorConfig,
} from "../model.ts";
import type { Rows, Setting } from "../settings/setting.ts";
import { ADMIN, LOG, METRICS, POOL, SUPERVISOR } from "../settings/settings.ts";

/** One setting that differs, its values as TOML; null where it is not set. */
export interface Change {
  /** "workers", "listen.address"; with its section where it is not a pool's: "log.level". */
  readonly setting: string;
  readonly from: string | null;
  readonly to: string | null;
}

export interface PoolChange {
  readonly name: string;
  readonly running: PoolConfig;
  readonly next: PoolConfig;
  /** Empty: nothing in the file changed; a reload replaces the workers all the same (php.ini, code). */
  readonly changes: readonly Change[];
}

export interface Plan {
  readonly added: readonly PoolConfig[];
  readonly removed: readonly PoolConfig[];
  /** Pools in both configs that listen somewhere else from now on. */
  readonly readdressed: readonly PoolChange[];
  /** Pools in both configs on the same address. */
  readonly replaced: readonly PoolChange[];
  /** Settings of the log, which can change while running. */
  readonly log: readonly Change[];
  /** Other settings of the supervisor that can change while running. */
  readonly supervisor: readonly Change[];
  /** Settings that keep their old value until the supervisor itself is started anew. */
  readonly needsRestart: readonly Change[];
}

const FIXED = ["supervisor.pid_file", "supervisor.state_dir"];

/** Pools are matched by their names. */
export function diffConfigs(running: Config, next: Config): Plan {
  const before = new Map(running.pools.map((pool) => [pool.name, pool]));
  const both = next.pools.flatMap((pool) => {
    const old = before.get(pool.name);
    return old === undefined ? [] : [poolChange(old, pool)];
  });
  const own = changes<SupervisorConfig>(
    SUPERVISOR,
    running.supervisor,
    next.supervisor,
    "supervisor.",
  );
  const admin = changes<AdminConfig>(ADMIN, running.admin, next.admin, "admin.");
  const metrics = changes<MetricsConfig>(METRICS, running.metrics, next.metrics, "metrics.");
  return {
    added: missingIn(running, next),
    removed: missingIn(next, running),
    readdressed: both.filter((pool) => !sameListen(pool)),
    replaced: both.filter(sameListen),
    log: changes<LogConfig>(LOG, running.log, next.log, "log."),
    supervisor: own.filter(({ setting }) => !FIXED.includes(setting)),
    needsRestart: [...own.filter(({ setting }) => FIXED.includes(setting)), ...admin, ...metrics],
  };
}

/** What runs after a reload: the next config, but with the values that stay until the supervisor itself is started anew. */
export function reloaded(running: Config, next: Config): Config {
  const { pidFile, stateDir } = running.supervisor;
  const { admin, metrics } = running;
  return { ...next, admin, metrics, supervisor: { ...next.supervisor, pidFile, stateDir } };
}

function missingIn(config: Config, other: Config): PoolConfig[] {
  const names = new Set(config.pools.map(({ name }) => name));
  return other.pools.filter(({ name }) => !names.has(name));
}

function sameListen({ running, next }: PoolChange): boolean {
  return sameAddress(running.listen.address, next.listen.address);
}

function poolChange(running: PoolConfig, next: PoolConfig): PoolChange {
  return { name: next.name, running, next, changes: changes<PoolConfig>(POOL, running, next, "") };
}

function changes<From>(rows: Rows, running: From, next: From, prefix: string): Change[] {
  return Object.entries(rows as Readonly<Record<string, Setting<From, unknown>>>).flatMap(
    ([name, row]) => {
      const [from, to] = [valueText(row, running), valueText(row, next)];
      return from === to ? [] : [{ setting: `${prefix}${name}`, from, to }];
    },
  );
}

/** A setting's value as TOML, or null when it is not set. */
export function valueText<From>(row: Setting<From, unknown>, from: From): string | null {
  const value = row.get(from);
  return value === null ? null : row.type.print(value);
}
