// `fcgivisor request`: one FastCGI request, as a smoke test of a pool or of any FastCGI address. The
// body goes to stdout byte for byte; what else there is to say goes to stderr.

import { resolve } from "node:path";
import { defineCommand } from "citty";
import { duration } from "../../config/durations.ts";
import { Fault } from "../../fault.ts";
import { fcgiRequest, type FcgiResponse, paramsFor } from "../../fcgi/client.ts";
import { type Address, addressText } from "../../sys/address.ts";
import { COMMON, repeated, usageFault } from "../runner.ts";
import { type Header, headerOf, withDefaults } from "./headers.ts";
import { requestBody } from "./body.ts";
import { findTarget } from "./target.ts";

const ARGS = {
  ...COMMON,
  url: { type: "positional", valueHint: "url-path", description: "path and query of the URL" },
  to: {
    type: "string",
    valueHint: "address",
    description: "any FastCGI address, instead of a pool",
  },
  pool: { type: "string", valueHint: "name", description: "which pool (default: the first)" },
  method: {
    type: "string",
    alias: "X",
    description: "request method (default: GET, or POST with --data)",
  },
  header: {
    type: "string",
    alias: "H",
    valueHint: "name: value",
    description: "add a request header (repeatable)",
  },
  data: {
    type: "string",
    alias: "d",
    valueHint: "text",
    description: "request body; @FILE reads a file, - reads stdin",
  },
  param: {
    type: "string",
    valueHint: "name=value",
    description: "set a FastCGI parameter (repeatable)",
  },
  root: {
    type: "string",
    valueHint: "dir",
    description: "document root (default: the pool's chdir, or here)",
  },
  script: {
    type: "string",
    valueHint: "file",
    description: "SCRIPT_FILENAME, instead of root and path",
  },
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
  include: { type: "boolean", alias: "i", description: "print status and headers before the body" },
} as const;

interface Options {
  readonly url: string;
  readonly to?: string;
  readonly pool?: string;
  readonly config?: string;
  readonly socket?: string;
  readonly prefix?: string;
  readonly method?: string;
  readonly root?: string;
  readonly script?: string;
  readonly index?: string;
  readonly timeout?: string;
  readonly expect?: string;
  readonly include?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export default defineCommand({
  meta: {
    name: "request",
    description: "Sends one FastCGI request to a pool, or to any address, and prints the answer.",
  },
  args: ARGS,
  async run({ args, rawArgs }) {
    const options = args as Options;
    const target = await findTarget(options, "request");
    const response = await send(
      options,
      rawArgs,
      target.address,
      options.root === undefined ? target.root : resolve(options.root),
    );
    await print(response, options, target.address);
    return verdict(response, options, target.address);
  },
});

async function send(
  options: Options,
  rawArgs: string[],
  address: Address,
  root: string,
): Promise<FcgiResponse> {
  const timeoutMs = timeoutOf(options.timeout ?? "30s");
  const headers = repeated(rawArgs, ARGS, "header").map((text) => headerOf(text, "request"));
  const extra = repeated(rawArgs, ARGS, "param").map(paramOf);
  const data = repeated(rawArgs, ARGS, "data").at(-1);
  const declared = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  const body = data === undefined ? null : await requestBody(data, lengthOf(declared));
  const params = paramsFor({
    method: options.method ?? (body ? "POST" : "GET"),
    url: options.url,
    documentRoot: root,
    scriptFilename: options.script === undefined ? null : resolve(options.script),
    index: options.index ?? "index.php",
    headers: withDefaults(headers, body !== null),
    contentLength: body?.length ?? lengthOf(declared),
    ...(address.kind === "unix" ? {} : { serverAddr: address.host }),
  });
  for (const [name, value] of extra) params.set(name, value);
  return fcgiRequest({ address, params, timeoutMs, ...(body ? { stdin: body.data } : {}) });
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

/** Exit code by status class: 0 up to 3xx, 1 from 4xx on. Throws when an expected text is missing. */
function verdict(response: FcgiResponse, options: Options, address: Address): number {
  const { expect } = options;
  if (expect !== undefined && !Buffer.from(response.body).includes(expect)) {
    throw new Fault(`the body does not contain ${JSON.stringify(expect)}`, {
      where: addressText(address),
    });
  }
  return response.status < 400 ? 0 : 1;
}

async function print(response: FcgiResponse, options: Options, address: Address): Promise<void> {
  const printer = await import("./output.ts");
  if (options.json === true) return printer.printJson(response, address);
  printer.printBody(response, options.include === true);
  printer.printStderr(response);
  if (options.quiet !== true) printer.printSummary(response, address);
}
