// `fcgivisor status [POOL...]`: pools, queues, the longest requests; of a pool that is named each worker.

import { AdminClient } from "../../admin/client.ts";
import type { Status } from "../../admin/contract.ts";
import { Fault } from "../../fault.ts";
import { sleep } from "../../sys/clock.ts";
import { isTerminal, STDOUT, terminalSize } from "../../sys/terminal.ts";
import { controlSocket } from "../control/control-socket.ts";
import { refuseOtherConfig } from "../control/same-config.ts";
import { printAsItIs, printJson } from "../print.ts";
import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { paintFor } from "../paint.ts";
import { poolText } from "./pool-text.ts";
import { withUnknown } from "./older.ts";
import { headLines, type Look, statusText } from "./text.ts";

const WATCH_EVERY_MS = 1000;

export default defineCommand({
  name: "status",
  description: "Shows pools, queues and the longest requests; of the pools named each worker.",
  options: {
    ...COMMON,
    watch: {
      type: "boolean",
      alias: "w",
      description: "full screen, live; elsewhere every second",
    },
    pool: {
      type: "positional",
      required: false,
      repeatable: true,
      valueHint: "pool...",
      description: "these pools in full, with their workers",
    },
  },
  async run(args) {
    const socket = await controlSocket(args);
    const client = new AdminClient(socket);
    for (let first = true; ; first = false) {
      const status = await client.status().catch(async (error: unknown) => {
        const { withLeftOver } = await import("../control/left-over.ts");
        throw await withLeftOver(error, args, socket);
      });
      if (first) refuseOtherConfig(args, status);
      const chosen = choose(status, args.pool);
      if (args.watch && !args.json && !args.quiet && isTerminal(STDOUT)) {
        const { watch } = await import("./watch/watch.ts");
        return watch(client, withUnknown(status), args.pool[0] ?? null);
      }
      const read =
        args.quiet || (args.json ? printJson(chosen) : show(withUnknown(chosen), args.pool));
      if (!args.watch) return chosen.pools.some(({ state }) => state === "down") ? 1 : 0;
      if (!read) return 0;
      await sleep(WATCH_EVERY_MS);
    }
  },
});

/** Only the pools that are named, if any is. Throws the Fault of one that there is not. */
function choose(status: Status, names: readonly string[]): Status {
  if (names.length === 0) return status;
  const known = status.pools.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Fault(`there is no pool "${unknown}"`, { hint: `pools: ${known.join(", ")}` });
  return { ...status, pools: status.pools.filter(({ name }) => names.includes(name)) };
}

function show(status: Status, names: readonly string[]): boolean {
  const isOnTerminal = isTerminal(STDOUT);
  const look: Look = {
    width: isOnTerminal ? (terminalSize(STDOUT)?.columns ?? null) : null,
    paint: paintFor(isOnTerminal, process.env),
  };
  if (names.length === 0) return printAsItIs(`${statusText(status, look)}\n`);
  const pools = status.pools.map((pool) => poolText(pool, look));
  return printAsItIs(`${[headLines(status).join("\n"), ...pools].join("\n\n")}\n`);
}
