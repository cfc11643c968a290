// `fcgivisor history`: the configs that have served, the newest first.

import { AdminClient } from "../../admin/client.ts";
import type { HistoryEntry } from "../../admin/contract.ts";
import { defineCommand } from "../command.ts";
import { controlSocket } from "../control/control-socket.ts";
import { checkSameConfig } from "../control/same-config.ts";
import { COMMON } from "../options.ts";
import { print, printJson } from "../print.ts";
import { table } from "../table.ts";

export default defineCommand({
  name: "history",
  description: "Lists the configs that have served since the start, the newest first.",
  options: COMMON,
  async run(args) {
    const client = new AdminClient(await controlSocket(args));
    await checkSameConfig(client, args);
    const entries = await client.history();
    if (args.json) printJson(entries);
    else if (!args.quiet) print(`${lines(entries).join("\n")}\n`);
  },
});

function lines(entries: readonly HistoryEntry[]): string[] {
  const rows = entries.map(({ since, generation, at, by, pools, config }, i) => [
    `${since === generation ? generation : `${since} to ${generation}`}${i === 0 ? " (runs)" : ""}`,
    at.replace("T", " ").replace(/\..*/, " UTC"),
    by,
    String(pools),
    config ?? "command line",
  ]);
  return table([["GENERATION", "SINCE", "BY", "POOLS", "CONFIG"], ...rows]);
}
