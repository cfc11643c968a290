// `fcgivisor logs [POOL]`: what the log has said last, worker output included.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { LOG_OPTIONS, showLog } from "./show.ts";

export default defineCommand({
  name: "logs",
  description:
    "Shows the last lines of the log, wherever it is written to; -f goes on as they come.",
  options: {
    ...COMMON,
    ...LOG_OPTIONS,
    pool: {
      type: "positional",
      required: false,
      valueHint: "pool",
      description: "only what is of this pool",
    },
  },
  run: (args) => showLog("logs", args),
});
