// The health check of a pool: one FastCGI request, and whether the answer is as it should be.

import type { HealthConfig, PoolConfig } from "../../config/model.ts";
import { type FcgiResponse, fcgiRequest, paramsFor } from "../../fcgi/client.ts";
import type { Address } from "../../sys/socket/address.ts";

const SHOWN_CHARACTERS = 200;

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
  return fcgiRequest({ address, params, timeoutMs: health.timeoutMs, signal });
}

export function healthPath({ path, script }: HealthConfig): string {
  return path ?? `/${script!.split("/").at(-1)}`;
}

/** What is wrong with the answer, in words; null when nothing is. */
export function wrongWith(health: HealthConfig, response: FcgiResponse): string | null {
  const body = new TextDecoder().decode(response.body);
  const wrong: string[] = [];
  if (response.status !== health.status)
    wrong.push(`status ${response.status} instead of ${health.status}`);
  if (health.expect !== null && !body.includes(health.expect))
    wrong.push(
      `a body without ${JSON.stringify(health.expect)}: ${JSON.stringify(body.slice(0, SHOWN_CHARACTERS))}`,
    );
  return wrong.length === 0 ? null : wrong.join(" and ");
}
