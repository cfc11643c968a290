// The value of `smoke`: the requests that show whether a pool works, each a table. `fcgivisor smoke` asks them, and so
// does a reload of its canary.

import type { SmokeRequest } from "../model.ts";
import { didYouMean } from "../nearest.ts";
import { duration } from "./durations.ts";
import { keyText, pairs } from "./special-values.ts";
import * as v from "./values.ts";

/** Names of HTTP headers; the values are not to end a header. */
const headers = pairs("names and values of headers", (name) =>
  /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) ? null : "cannot be the name of a header",
);

const method: v.ValueType<string> = {
  ...v.text,
  expected: 'a request method ("POST")',
  parse: (raw) =>
    typeof raw === "string" && /^[A-Z]{1,20}$/.test(raw)
      ? { ok: raw }
      : v.unexpected('a request method ("POST")', raw),
};

const KEYS: Readonly<Record<string, v.ValueType<unknown>>> = {
  path: v.urlPath,
  script: v.path,
  method,
  headers,
  body: v.text,
  status: v.integer(100, 599),
  expect: v.text,
  timeout: duration("1ms"),
};

const DEFAULT_TIMEOUT_MS = 5000;
/** A reload asks them one after the other. */
const MOST = 200;

const EXPECTED = 'an array of tables: [{ path = "/ping.php", expect = "pong" }]';

export const smokeRequests: v.ValueType<readonly SmokeRequest[]> = {
  expected: EXPECTED,
  form: "text",
  schema: {
    type: "array",
    maxItems: MOST,
    items: {
      type: "object",
      required: ["path"],
      additionalProperties: false,
      properties: Object.fromEntries(Object.entries(KEYS).map(([key, type]) => [key, type.schema])),
    },
  },
  parse(raw, base) {
    if (!Array.isArray(raw)) return v.unexpected(EXPECTED, raw);
    if (raw.length > MOST)
      return { problem: `there are ${raw.length} of them, and ${MOST} are possible` };
    const requests: SmokeRequest[] = [];
    for (const [i, item] of raw.entries()) {
      const read = requestOf(item, base);
      if ("problem" in read) return { ...read, problem: `item ${i + 1}: ${read.problem}` };
      requests.push(read.ok);
    }
    return { ok: requests };
  },
  print: (requests) => `[${requests.map(printed).join(", ")}]`,
};

function requestOf(raw: unknown, base: string): v.Parsed<SmokeRequest> {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw) || raw instanceof Date)
    return v.unexpected("a table", raw);
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(raw)) {
    const type = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (type === undefined)
      return { problem: `unknown setting "${key}"${didYouMean(key, Object.keys(KEYS))}` };
    const read = type.parse(value, base);
    if ("problem" in read) return { ...read, problem: `${key}: ${read.problem}` };
    values[key] = read.ok;
  }
  if (values["path"] === undefined) return { problem: '"path" is missing' };
  return { ok: withDefaults(values as Partial<Given> & Pick<Given, "path">) };
}

interface Given {
  readonly path: string;
  readonly script: string;
  readonly method: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly status: number;
  readonly expect: string;
  readonly timeout: number;
}

function withDefaults(given: Partial<Given> & Pick<Given, "path">): SmokeRequest {
  const body = given.body ?? null;
  return {
    path: given.path,
    script: given.script ?? null,
    method: given.method ?? (body === null ? "GET" : "POST"),
    headers: given.headers ?? new Map(),
    body,
    status: given.status ?? 200,
    expect: given.expect ?? null,
    timeoutMs: given.timeout ?? DEFAULT_TIMEOUT_MS,
  };
}

function printed(request: SmokeRequest): string {
  const { headers: lines, script, body, expect } = request;
  const parts: readonly (readonly [string, string | null])[] = [
    ["path", v.quote(request.path)],
    ["script", script === null ? null : v.quote(script)],
    ["method", v.quote(request.method)],
    ["headers", lines.size === 0 ? null : headers.print(lines)],
    ["body", body === null ? null : v.quote(body)],
    ["status", String(request.status)],
    ["expect", expect === null ? null : v.quote(expect)],
    ["timeout", duration("1ms").print(request.timeoutMs)],
  ];
  const said = parts.flatMap(([key, value]) =>
    value === null ? [] : `${keyText(key)} = ${value}`,
  );
  return `{ ${said.join(", ")} }`;
}
