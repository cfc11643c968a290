// `fcgivisor bench`: a constant stream of real requests, reloads meanwhile, and what clients noticed of
// them. Everybody's own proof, on their own pool, or on anything else that speaks FastCGI.

import { defineCommand } from "citty";
import { paramsFor } from "../../fcgi/client.ts";
import { type BenchArgs, type BenchOrder, orderOf } from "./order.ts";
import { commandReload, poolReload, type Reload } from "./reloads.ts";
import { benchJson, benchLines, type BenchReport, wentWell } from "./report.ts";
import { runBench } from "./run.ts";
import type { SocketArgs } from "../control/control-socket.ts";
import { print } from "../print.ts";
import { type Header, headerOf, withDefaults } from "../request/headers.ts";
import { findTarget, type Target } from "../request/target.ts";
import { COMMON, repeated } from "../runner.ts";

const ARGS = {
  ...COMMON,
  pool: { type: "positional", required: false, description: "which pool" },
  url: {
    type: "positional",
    required: false,
    valueHint: "url-path",
    description: "path and query of the URL",
  },
  to: {
    type: "string",
    valueHint: "address",
    description: "any FastCGI address, instead of a pool",
  },
  rate: { type: "string", valueHint: "number", description: "requests a second (default: 200)" },
  duration: { type: "string", valueHint: "duration", description: "how long (default: 10s)" },
  "reload-every": {
    type: "string",
    valueHint: "duration",
    description: "reload the pool so often meanwhile",
  },
  "reload-command": {
    type: "string",
    valueHint: "command",
    description: "what reloads it, for the shell (default: the pool's supervisor)",
  },
  connections: {
    type: "string",
    valueHint: "count",
    description: "at most so many at once (default: 256)",
  },
  timeout: {
    type: "string",
    valueHint: "duration",
    description: "for one request, from the moment it was due (default: 10s)",
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
  header: {
    type: "string",
    alias: "H",
    valueHint: "name: value",
    description: "add a request header (repeatable)",
  },
  expect: {
    type: "string",
    valueHint: "text",
    description: "an answer without it is counted as lost",
  },
} as const;

interface Options extends BenchArgs, SocketArgs {
  readonly root?: string;
  readonly script?: string;
  readonly expect?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export default defineCommand({
  meta: {
    name: "bench",
    description:
      "Sends requests at a constant rate, reloads meanwhile if told so, and says how many were lost and how long they took. Exits 1 when any was lost or a reload failed.",
  },
  args: ARGS,
  async run({ args, rawArgs }) {
    const options = args as unknown as Options;
    const order = orderOf(options);
    const headers = repeated(rawArgs, ARGS, "header").map((text) => headerOf(text, "bench"));
    const { config, socket, prefix, to } = options;
    const place = { config, socket, prefix };
    const target = await findTarget({ ...place, to, pool: order.pool ?? undefined }, "bench");
    const reload = await reloadFor(order, place);
    const { address } = target;
    const params = paramsOf(order.url, target, options, headers);
    const request = { address, params, timeoutMs: order.timeoutMs, expect: options.expect ?? null };
    const report = await runBench(order, request, reload);
    show(report, options);
    return wentWell(report) ? 0 : 1;
  },
});

type Place = SocketArgs;

async function reloadFor({ reload, pool }: BenchOrder, place: Place): Promise<Reload | null> {
  if (reload === null) return null;
  if (reload.command !== null) return commandReload(reload.command);
  const { controlSocket } = await import("../control/control-socket.ts");
  return poolReload(await controlSocket(place), pool);
}

function paramsOf(url: string, target: Target, options: Options, headers: readonly Header[]) {
  const { address } = target;
  return paramsFor({
    method: "GET",
    url,
    documentRoot: options.root ?? target.root,
    scriptFilename: options.script ?? null,
    index: "index.php",
    headers: withDefaults(headers, false),
    ...(address.kind === "unix" ? {} : { serverAddr: address.host }),
  });
}

function show(report: BenchReport, { json, quiet }: Options): void {
  if (json === true) print(`${JSON.stringify(benchJson(report), null, 2)}\n`);
  else if (quiet !== true) return void print(`${benchLines(report).join("\n")}\n`);
  const reasons = [report.load.firstLoss, report.reloads?.failed[0]];
  for (const reason of reasons) if (reason) process.stderr.write(`fcgivisor: ${reason}\n`);
}
