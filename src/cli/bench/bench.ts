// `fcgivisor bench`: a constant stream of real requests, reloads meanwhile, and what clients noticed of
// them. Everybody's own proof, on their own pool, or on anything else that speaks FastCGI.

import { paramsFor } from "../../fcgi/client.ts";
import { BENCH_OPTIONS } from "./options.ts";
import { type BenchOrder, orderOf } from "./order.ts";
import { commandReload, poolReload, type Reload } from "./reloads.ts";
import { benchJson, benchLines, type BenchReport, wentWell } from "./report.ts";
import { runBench } from "./run.ts";
import type { SocketArgs } from "../control/control-socket.ts";
import { print, printError, printJson } from "../print.ts";
import { headerOf, withClientHeaders } from "../request/headers.ts";
import { findTarget, type Target } from "../request/target.ts";
import { defineCommand } from "../command.ts";
import type { ValuesOf } from "../options.ts";

type Given = ValuesOf<typeof BENCH_OPTIONS>;

export default defineCommand({
  name: "bench",
  description:
    "Sends requests at a constant rate, reloads meanwhile if told so, and says how many were lost and how long they took. Exits 1 when any was lost or a reload failed.",
  options: BENCH_OPTIONS,
  async run(given, { words }) {
    const order = orderOf(words, given);
    const { config, socket, prefix, to } = given;
    const place = { config, socket, prefix };
    const target = await findTarget({ ...place, to, pool: order.pool ?? undefined }, "bench");
    const reload = await reloadFor(order, place);
    const { address } = target;
    const params = paramsOf(order.url, target, given);
    const { timeoutMs } = order;
    const request = { address, params, timeoutMs, expect: given.expect ?? null };
    const report = await runBench(order, request, reload);
    show(report, given);
    return wentWell(report) ? 0 : 1;
  },
});

async function reloadFor({ reload, pool }: BenchOrder, place: SocketArgs): Promise<Reload | null> {
  if (reload === null) return null;
  if (reload.command !== null) return commandReload(reload.command);
  const { controlSocket } = await import("../control/control-socket.ts");
  return poolReload(await controlSocket(place), pool);
}

function paramsOf(url: string, target: Target, given: Given) {
  const { address } = target;
  const headers = given.header.map((text) => headerOf(text, "bench"));
  return paramsFor({
    method: "GET",
    url,
    documentRoot: given.root ?? target.root,
    scriptFilename: given.script ?? null,
    index: "index.php",
    headers: withClientHeaders(headers, false),
    ...(address.kind === "unix" ? {} : { serverAddr: address.host }),
  });
}

function show(report: BenchReport, { json, quiet }: Given): void {
  if (json) printJson(benchJson(report));
  else if (!quiet) return void print(`${benchLines(report).join("\n")}\n`);
  const reasons = [report.load.firstLoss, report.reloads?.failed[0]];
  for (const reason of reasons) if (reason) printError(`fcgivisor: ${reason}\n`);
}
