// `fcgivisor advise [POOL]`: how many workers a pool needs, from what the supervisor has seen of it.

import { AdminClient } from "../../admin/client.ts";
import { Fault } from "../../fault.ts";
import { controlSocket } from "../control/control-socket.ts";
import { checkSameConfig } from "../control/same-config.ts";
import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { print, printJson } from "../print.ts";
import { adviceText } from "./text.ts";

export default defineCommand({
  name: "advise",
  description: "Says how many workers a pool needs, with the figures it goes by. Changes nothing.",
  options: {
    ...COMMON,
    pool: {
      type: "positional",
      required: false,
      valueHint: "pool",
      description: "only this pool",
    },
  },
  async run(args) {
    const client = new AdminClient(await controlSocket(args));
    await checkSameConfig(client, args);
    const advice = await client.advice();
    const { pool } = args;
    const known = advice.pools.map((each) => each.pool);
    if (pool !== undefined && !known.includes(pool))
      throw new Fault(`there is no pool "${pool}"`, { hint: `pools: ${known.join(", ")}` });
    const pools = advice.pools.filter((each) => pool === undefined || each.pool === pool);
    const chosen = { ...advice, pools };
    if (args.json) printJson(chosen);
    else if (!args.quiet) print(`${adviceText(chosen)}\n`);
  },
});
