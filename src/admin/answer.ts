// How an answer on the control socket looks.

import type { Fault } from "../fault.ts";
import { jsonText } from "../log/escape.ts";
import type { OperationAnswer } from "./contract.ts";

interface Init {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a request or another program said must not act on the terminal of whoever asks with curl. */
export function jsonAnswer(value: unknown, init: Init = {}): Response {
  const headers = { "content-type": "application/json;charset=utf-8", ...init.headers };
  return new Response(jsonText(value), { status: init.status ?? 200, headers });
}

export function faultAnswer(fault: Fault, status: number, headers = {}): Response {
  const body: OperationAnswer = { ok: false, fault: fault.toJSON() };
  return jsonAnswer(body, { status, headers });
}
