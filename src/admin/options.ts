// What an operation is told over HTTP, checked: whoever misspells must hear of it before anything happens.

import { isAbsolute } from "node:path";
import { Fault } from "../fault.ts";
import type { Operation, OperationOptions } from "./contract.ts";
import type { Asked } from "./http.ts";

/** What each operation may be told. Anything else is refused: a `dry-run` misspelt must not be a reload. */
const TAKES: Readonly<Record<Operation, readonly string[]>> = {
  stop: [],
  quit: ["lame_duck_ms"],
  restart: [],
  logrotate: [],
  reload: ["pools", "wait", "dry_run", "config", "changed", "wait_probation"],
  rollback: ["generation", "wait", "dry_run"],
  upgrade: ["binary", "id"],
};

/** The options of a request, from its query and its body. Throws a Fault for what is not understood. */
export function operationOptions(
  operation: Operation,
  { url, body }: Pick<Asked, "url" | "body">,
): OperationOptions {
  const given = { ...queryOptions(url.searchParams), ...(body === "" ? {} : parseBody(body)) };
  const takes = TAKES[operation];
  const unknown = Object.keys(given).find((name) => !takes.includes(name));
  if (unknown !== undefined) {
    const known = takes.length === 0 ? "nothing" : `only ${takes.join(", ")}`;
    throw bad(operation, `"${unknown}" is not known here: ${operation} takes ${known}`);
  }
  const { pools, wait, dry_run, binary, id, config, changed, lame_duck_ms: lameDuck } = given;
  const { generation, wait_probation } = given;
  if (
    pools !== undefined &&
    !(Array.isArray(pools) && pools.every((name) => typeof name === "string"))
  ) {
    throw bad(operation, "`pools` must be a list of names");
  }
  for (const [name, value] of Object.entries({ wait, dry_run, changed, wait_probation })) {
    if (value !== undefined && typeof value !== "boolean")
      throw bad(operation, `\`${name}\` must be true or false`);
  }
  for (const [name, value] of Object.entries({ binary, id, config })) {
    if (value !== undefined && typeof value !== "string")
      throw bad(operation, `\`${name}\` must be a text`);
  }
  if (generation !== undefined && !(Number.isSafeInteger(generation) && (generation as number) > 0))
    throw bad(operation, "`generation` must be the number of one: `fcgivisor history` lists them");
  if (lameDuck !== undefined && !isMilliseconds(lameDuck))
    throw bad(operation, "`lame_duck_ms` must be a whole number of milliseconds, up to a day");
  if (typeof config === "string" && (!isAbsolute(config) || pools !== undefined))
    throw bad(operation, "`config` is an absolute path, and goes with no `pools`");
  if (changed === true && pools !== undefined)
    throw bad(operation, "`changed` goes with no `pools`: which they are is what it finds out");
  return given as OperationOptions;
}

const DAY_MS = 86_400_000;

function isMilliseconds(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= DAY_MS;
}

const TRUTH: Readonly<Record<string, boolean>> = {
  true: true,
  "": true,
  "1": true,
  false: false,
  "0": false,
};

/** The query as the body would have it: `?pool=a&pool=b&wait=false`. What is not understood stays as it is. */
function queryOptions(query: URLSearchParams): Record<string, unknown> {
  const given = new Map<string, unknown>();
  for (const [name, value] of query) {
    if (name === "pool") given.set("pools", query.getAll(name));
    else if (
      name === "wait" ||
      name === "dry_run" ||
      name === "changed" ||
      name === "wait_probation"
    )
      given.set(name, TRUTH[value] ?? value);
    else if ((name === "lame_duck_ms" || name === "generation") && /^\d+$/.test(value))
      given.set(name, Number(value));
    else given.set(name, value);
  }
  return Object.fromEntries(given);
}

function parseBody(body: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    throw new Fault("the body is not JSON", {
      hint: EXAMPLE,
      cause: error,
    });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new Fault("the body must be an object", { hint: EXAMPLE });
  return parsed as Record<string, unknown>;
}

const EXAMPLE = 'example, for reload: {"pools": ["www"], "wait": false, "dry_run": true}';

function bad(operation: Operation, message: string): Fault {
  return new Fault(message, operation === "reload" ? { hint: EXAMPLE } : {});
}
