// `fcgivisor trace [POOL|PID]`: what each busy worker is doing, to the line; with --top where the time goes.

import { AdminClient } from "../../admin/client.ts";
import { Fault } from "../../fault.ts";
import { controlSocket } from "../control/control-socket.ts";
import { refuseOtherConfig } from "../control/same-config.ts";
import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { print, printJson } from "../print.ts";
import { usageFault } from "../usage.ts";
import { traceText } from "./text.ts";

export default defineCommand({
  name: "trace",
  description:
    "Shows what each busy worker is doing: its request, what it waits for, and its PHP stack. The workers are not stopped, and take no part in it.",
  options: {
    ...COMMON,
    of: {
      type: "positional",
      required: false,
      valueHint: "pool|pid",
      description: "only this pool, or this worker",
    },
    top: { type: "boolean", description: "look 50 times a second, and show where the time goes" },
    for: {
      type: "string",
      valueHint: "duration",
      description: "with --top: how long (default: 10s)",
    },
    flame: {
      type: "boolean",
      description: "with --top: print folded stacks, for flame graphs and speedscope",
    },
  },
  async run(args) {
    const choice = choiceOf(args.of);
    if (!args.top && (args.flame || args.for !== undefined))
      throw usageFault(`--${args.flame ? "flame" : "for"} goes with --top`, "trace");
    const client = new AdminClient(await controlSocket(args));
    if (args.config !== undefined) refuseOtherConfig(args, await client.status());
    if (args.top) {
      const { top } = await import("./top.ts");
      return top(client, choice, args);
    }
    const found = await client.trace(choice);
    if (args.json) printJson(found);
    else if (!args.quiet) print(`${traceText(found, args.of ?? null)}\n`);
    return 0;
  },
});

/** A number is a process; pools have names. */
function choiceOf(of: string | undefined): URLSearchParams {
  if (of === undefined) return new URLSearchParams();
  if (of === "") throw new Fault("the name of the pool is empty", { exitCode: 2 });
  return new URLSearchParams(/^\d+$/.test(of) ? { pid: of } : { pool: of });
}
