// `fcgivisor pause POOL`.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "pause",
  description:
    "Workers of a pool finish their requests and take no more: connections wait in the queue, until `resume` or the pool's next reload.",
  options: { ...COMMON, pool: { type: "positional" } },
  run: (values) => operate("pause", values, { pools: [values.pool] }),
});
