// The request that `bench` sends again and again, and the few kinds of loss that its answers are told
// apart by: whoever runs a service wants to know whether clients were turned away, cut off, or kept
// waiting, not which read(2) it was.

import { fcgiRequest } from "../../fcgi/client.ts";
import { FcgiFault, type FailureKind } from "../../fcgi/failure.ts";
import type { Address } from "../../sys/socket/address.ts";
import { now } from "../../sys/clock.ts";
import { missingScript } from "../request/missing-script.ts";
import { Lost } from "./tally.ts";

export type LossKind =
  "refused" | "closed" | "timeout" | "bad-status" | "unexpected" | "bad-answer" | "given-up";

export interface BenchRequest {
  readonly address: Address;
  readonly params: ReadonlyMap<string, string>;
  /** From the moment due, in milliseconds. */
  readonly timeoutMs: number;
  /** What the body must contain. */
  readonly expect: string | null;
  /** Gives up on what is not answered yet. */
  readonly signal: AbortSignal;
}

/** Sends it; throws `Lost` unless the answer is good: a status below 400, the expected text in it. */
export async function sendBenchRequest(request: BenchRequest, dueAt: number): Promise<void> {
  const { address, params, signal, expect } = request;
  const timeoutMs = request.timeoutMs - (now() - dueAt);
  if (timeoutMs <= 0) throw new Lost("timeout", "no connection was free in time");
  const response = await fcgiRequest({ address, params, timeoutMs, signal }).catch((error) => {
    throw lostBy(error);
  });
  if (response.status >= 400) {
    const missing = missingScript(response, params);
    const why = missing === null ? "" : `: there is no script ${missing} (see --root and --script)`;
    throw new Lost("bad-status", `answered with status ${response.status}${why}`);
  }
  if (expect !== null && !Buffer.from(response.body).includes(expect)) {
    throw new Lost("unexpected", `the body does not contain ${JSON.stringify(expect)}`);
  }
}

function lostBy(error: unknown): unknown {
  return error instanceof FcgiFault ? new Lost(lossOf(error.kind), error.message) : error;
}

function lossOf(kind: FailureKind): LossKind {
  switch (kind) {
    case "refused":
    case "no-socket":
    case "permission":
    case "unreachable":
    case "queue-full":
    case "overloaded":
      return "refused";
    case "closed-before":
    case "closed-in-body":
      return "closed";
    case "timeout-connect":
    case "timeout-first-byte":
    case "timeout-body":
      return "timeout";
    case "aborted":
      return "given-up";
    case "cannot-multiplex":
    case "unknown-role":
    case "not-fastcgi":
    case "bad-headers":
    case "too-large":
    case "bad-input":
      return "bad-answer";
  }
}
