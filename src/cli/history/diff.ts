// `fcgivisor diff [N]`: what has changed since the config of generation N.

import { AdminClient } from "../../admin/client.ts";
import { defineCommand } from "../command.ts";
import { controlSocket } from "../control/control-socket.ts";
import { reportLines } from "../control/report-text.ts";
import { checkSameConfig } from "../control/same-config.ts";
import { COMMON } from "../options.ts";
import { print, printJson } from "../print.ts";
import { GENERATION, generationOf } from "./generation.ts";

export default defineCommand({
  name: "diff",
  description: "Shows what has changed between the config of a generation and the one that runs.",
  options: { ...COMMON, generation: GENERATION },
  async run(args) {
    const generation = generationOf(args.generation, "diff");
    const client = new AdminClient(await controlSocket(args));
    await checkSameConfig(client, args);
    const report = await client.difference(generation);
    if (args.json) printJson({ ok: true, report });
    else if (!args.quiet) print(`${reportLines(report).join("\n")}\n`);
  },
});
