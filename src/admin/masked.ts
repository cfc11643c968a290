// What is told of the config to those who are neither root nor the user the supervisor runs as: the names of
// variables and of PHP's settings, but not their values, among which are passwords.

import type { Config, PoolConfig } from "../config/model.ts";
import type { Report } from "./contract.ts";

export const MASK = "(masked)";

export function masked(config: Config): Config {
  return { ...config, pools: config.pools.map(maskedPool) };
}

/** Whether the config came out of `masked`, and so can be compared with a masked one only. */
export function isMasked({ pools }: Config): boolean {
  return pools.some(({ env, php, smoke }) => {
    const sent = smoke.flatMap(({ headers, body }) => [...headers.values(), body]);
    return [...env.values(), ...php.defines.values(), ...php.admin.values(), ...sent].includes(
      MASK,
    );
  });
}

/** The settings whose values are told to nobody else. */
const SECRET = /^(env|php\.defines|php\.admin|smoke)\b/;

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
  const { env, php, smoke } = pool;
  return {
    ...pool,
    env: hidden(env),
    php: { ...php, defines: hidden(php.defines), admin: hidden(php.admin) },
    smoke: smoke.map((request) => ({
      ...request,
      headers: hidden(request.headers),
      body: request.body === null ? null : MASK,
    })),
  };
}

function hidden(values: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...values.keys()].map((name) => [name, MASK]));
}
