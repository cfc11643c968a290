// `fcgivisor request`: one FastCGI request, as a smoke test of a pool or of any FastCGI address. The
// body goes to stdout byte for byte; what else there is to say goes to stderr.

import { resolve } from "node:path";
import { duration } from "../../config/settings/durations.ts";
import { Fault } from "../../fault.ts";
import { fcgiRequest, type FcgiResponse, paramsFor } from "../../fcgi/client.ts";
import { type Address, addressText } from "../../sys/socket/address.ts";
import { defineCommand } from "../command.ts";
import { printError } from "../print.ts";
import { COMMON, type ValuesOf } from "../options.ts";
import { usageFault } from "../usage.ts";
import { type Header, headerOf, withClientHeaders } from "./headers.ts";
import { requestBody } from "./body.ts";
import { PAGE_OPTIONS } from "./page-options.ts";
import { missingScript } from "./missing-script.ts";
import { pagePlaceOf } from "./page-place.ts";
import { findTarget, type Target } from "./target.ts";

const OPTIONS = {
  ...COMMON,
  of: {
    type: "positional",
    required: false,
    valueHint: "pool",
    description: "which pool (default: the first)",
  },
  url: {
    type: "positional",
    required: false,
    valueHint: "url-path",
    description: "path and query of the URL",
  },
  to: PAGE_OPTIONS.to,
  pool: { type: "string", valueHint: "name", description: "the same as POOL" },
  method: {
    type: "string",
    alias: "X",
    description: "request method (default: GET, or POST with --data)",
  },
  header: PAGE_OPTIONS.header,
  data: {
    type: "string",
    alias: "d",
    repeatable: true,
    valueHint: "text",
    description: "request body; @FILE reads a file, - reads stdin",
  },
  param: {
    type: "string",
    repeatable: true,
    valueHint: "name=value",
    description: "set a FastCGI parameter (repeatable)",
  },
  root: PAGE_OPTIONS.root,
  script: PAGE_OPTIONS.script,
  index: {
    type: "string",
    valueHint: "file",
    description: "appended to a path that ends with / (default: index.php)",
  },
  timeout: {
    type: "string",
    valueHint: "duration",
    description: "for the whole request (default: 30s)",
  },
  expect: { type: "string", valueHint: "text", description: "fail unless the body contains it" },
  "fail-on-stderr": {
    type: "boolean",
    description: "fail when the program writes on its FastCGI stderr, as PHP does its warnings",
  },
  include: { type: "boolean", alias: "i", description: "print status and headers before the body" },
} as const;

type Given = ValuesOf<typeof OPTIONS>;

export default defineCommand({
  name: "request",
  description: "Sends one FastCGI request to a pool, or to any address, and prints the answer.",
  options: OPTIONS,
  async run(given, { words }) {
    const { pool, url } = pagePlaceOf(words, given, "request");
    const target = await findTarget({ ...given, pool: pool ?? undefined }, "request");
    const { address } = target;
    const root =
      given.root === undefined ? target : { root: resolve(given.root), rootIs: "given by --root" };
    const { response, params } = await send(given, url, address, root.root);
    await print(response, given, address);
    const missing = missingScript(response, params);
    if (missing !== null) printError(`${missingText(missing, given, root)}\n`);
    return verdict(response, given, address);
  },
});

interface Answered {
  readonly response: FcgiResponse;
  readonly params: ReadonlyMap<string, string>;
}

async function send(given: Given, url: string, address: Address, root: string): Promise<Answered> {
  const timeoutMs = timeoutOf(given.timeout ?? "30s");
  const headers = given.header.map((text) => headerOf(text, "request"));
  const extra = given.param.map(paramOf);
  const data = given.data.at(-1);
  const declared = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  const body = data === undefined ? null : await requestBody(data, lengthOf(declared));
  const params = paramsFor({
    method: given.method ?? (body ? "POST" : "GET"),
    url,
    documentRoot: root,
    scriptFilename: given.script === undefined ? null : resolve(given.script),
    index: given.index ?? "index.php",
    headers: withClientHeaders(headers, body !== null),
    contentLength: body?.length ?? lengthOf(declared),
    ...(address.kind === "unix" ? {} : { serverAddr: address.host }),
  });
  for (const [name, value] of extra) params.set(name, value);
  const stdin = body ? { stdin: body.data } : {};
  return { response: await fcgiRequest({ address, params, timeoutMs, ...stdin }), params };
}

function missingText(script: string, given: Given, { root, rootIs }: Omit<Target, "address">) {
  const from = given.script === undefined ? `, below ${root}: ${rootIs}` : "";
  return `the worker found no script at SCRIPT_FILENAME = ${script}${from}; name the folder with --root, or the script with --script`;
}

function timeoutOf(text: string): number {
  const parsed = duration("1ms").parse(text, "");
  if ("ok" in parsed) return parsed.ok;
  throw usageFault(`--timeout: ${parsed.problem}`, "request");
}

function paramOf(text: string): Header {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw usageFault(`--param: "${text}" is not of the form NAME=VALUE`, "request");
}

function lengthOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^[0-9]+$/.test(text)) return Number(text);
  throw usageFault(`--header: the Content-Length "${text}" is no number`, "request");
}

/** Exit code by status class: 0 up to 3xx, 1 from 4xx on. Throws when the answer is not as it should be. */
function verdict(response: FcgiResponse, given: Given, address: Address): number {
  const { expect, "fail-on-stderr": failsOnStderr } = given;
  if (failsOnStderr && response.stderr.trim() !== "")
    throw new Fault("the program wrote on its FastCGI stderr", {
      where: addressText(address),
      hint: "what it wrote is above; without --fail-on-stderr the status alone decides",
    });
  if (expect !== undefined && !Buffer.from(response.body).includes(expect)) {
    throw new Fault(`the body does not contain ${JSON.stringify(expect)}`, {
      where: addressText(address),
    });
  }
  return response.status < 400 ? 0 : 1;
}

async function print(response: FcgiResponse, given: Given, address: Address): Promise<void> {
  const printer = await import("./output.ts");
  if (given.json) return printer.printAnswer(response, address);
  printer.printBody(response, given.include);
  printer.printStderr(response);
  if (!given.quiet) printer.printSummary(response, address);
}
