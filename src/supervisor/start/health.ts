// The health check of a pool: one FastCGI request.

import type { HealthConfig, PoolConfig } from "../../config/model.ts";
import { type FcgiResponse, fcgiRequest, paramsFor } from "../../fcgi/client.ts";
import type { Address } from "../../sys/socket/address.ts";

/** Bytes; a health page is a word or a table, and whoever answers more would have our memory. */
const ANSWER_MOST = 4 * 1024 * 1024;

/** Throws an FcgiFault when there is no answer. */
export function askHealth(
  pool: PoolConfig,
  health: HealthConfig,
  address: Address,
  signal: AbortSignal,
): Promise<FcgiResponse> {
  const params = paramsFor({
    method: "GET",
    url: healthPath(health),
    scriptFilename: health.script,
    documentRoot: pool.chdir ?? "/",
    serverName: "fcgivisor-health-check",
  });
  const { timeoutMs } = health;
  return fcgiRequest({ address, params, timeoutMs, signal, maxBytes: ANSWER_MOST });
}

export function healthPath({ path, script }: HealthConfig): string {
  return path ?? `/${script!.split("/").at(-1)}`;
}
