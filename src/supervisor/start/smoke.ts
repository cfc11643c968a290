// One smoke request to a pool, wherever it listens: on its own address, or as a canary.

import type { PoolConfig, SmokeRequest } from "../../config/model.ts";
import { asFault } from "../../fault.ts";
import { fcgiRequest, paramsFor } from "../../fcgi/client.ts";
import { shownStderr, wrongWith } from "../../fcgi/expectation.ts";
import { now } from "../../sys/clock.ts";
import type { Address } from "../../sys/socket/address.ts";

export interface SmokeResult {
  /** Completes "it answers with …"; null = it passed. */
  readonly wrong: string | null;
  /** null = there was no answer. */
  readonly status: number | null;
  readonly ms: number;
  /** What the program wrote on its FastCGI stderr, its beginning. */
  readonly stderr: string;
}

/** Never throws: no answer is a result as well. */
export async function askSmoke(
  pool: Pick<PoolConfig, "chdir">,
  request: SmokeRequest,
  address: Address,
  signal?: AbortSignal,
): Promise<SmokeResult> {
  const { path, script, method, headers, body, timeoutMs } = request;
  const data = body === null ? null : Buffer.from(body);
  const params = paramsFor({
    method,
    url: path,
    scriptFilename: script,
    documentRoot: pool.chdir ?? "/",
    index: "index.php",
    headers: [...headers],
    contentLength: data?.length ?? null,
    serverName: "fcgivisor-smoke",
  });
  const since = now();
  try {
    const response = await fcgiRequest({
      address,
      params,
      timeoutMs,
      ...(data === null ? {} : { stdin: data }),
      ...(signal === undefined ? {} : { signal }),
    });
    const wrong = wrongWith(response, request);
    return { wrong, status: response.status, ms: now() - since, stderr: shownStderr(response) };
  } catch (error) {
    const wrong = `no answer: ${asFault(error).message}`;
    return { wrong, status: null, ms: now() - since, stderr: "" };
  }
}
