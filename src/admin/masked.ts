// What is told of the config to those who are neither root nor the user the supervisor runs as: the names of
// variables and of PHP's settings, but not their values, among which are passwords.

import type { Config, PoolConfig } from "../config/model.ts";
import type { Report } from "./contract.ts";

const MASK = "(masked)";

export function masked(config: Config): Config {
  return { ...config, pools: config.pools.map(maskedPool) };
}

/** Whether the config came out of `masked`, and so can be compared with a masked one only. */
export function isMasked({ pools }: Config): boolean {
  return pools.some(({ env, php }) =>
    [...env.values(), ...php.defines.values(), ...php.admin.values()].some(
      (value) => value === MASK,
    ),
  );
}

/** The settings whose values are told to nobody else. */
const SECRET = /^(env|php\.defines|php\.admin)\b/;

/** What a reload has changed, without such values. */
export function maskedReport(report: Report): Report {
  if (report.pools === undefined) return report;
  const pools = report.pools.map((outcome) => ({
    ...outcome,
    changes: outcome.changes.map((change) =>
      SECRET.test(change.setting) ? { ...change, from: MASK, to: MASK } : change,
    ),
  }));
  return { ...report, pools };
}

function maskedPool(pool: PoolConfig): PoolConfig {
  const { env, php } = pool;
  return {
    ...pool,
    env: hidden(env),
    php: { ...php, defines: hidden(php.defines), admin: hidden(php.admin) },
  };
}

function hidden(values: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...values.keys()].map((name) => [name, MASK]));
}
