// `fcgivisor status`: pools, workers, queues.

import { AdminClient } from "../../admin/client.ts";
import { sleep } from "../../sys/clock.ts";
import { controlSocket } from "../control/control-socket.ts";
import { refuseOtherConfig } from "../control/same-config.ts";
import { clearScreen } from "../print-data.ts";
import { print, printJson } from "../print.ts";
import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { statusText } from "./text.ts";

const WATCH_EVERY_MS = 1000;

export default defineCommand({
  name: "status",
  description: "Shows pools, workers and queues.",
  options: {
    ...COMMON,
    watch: { type: "boolean", alias: "w", description: "show it again every second" },
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
      if (args.watch && !args.quiet) clearScreen();
      const show = () => (args.json ? printJson(status) : print(`${statusText(status)}\n`));
      const read = args.quiet || show();
      if (!args.watch) return status.pools.some(({ state }) => state === "down") ? 1 : 0;
      if (!read) return 0;
      await sleep(WATCH_EVERY_MS);
    }
  },
});
