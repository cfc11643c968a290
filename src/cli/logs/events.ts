// `fcgivisor events`: what has happened last, each worker that started or left included, without what workers write.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { LOG_OPTIONS, showLog } from "./show.ts";

export default defineCommand({
  name: "events",
  description:
    "Shows what has happened last, as sentences or as data (--json); -f goes on as it happens.",
  options: {
    ...COMMON,
    ...LOG_OPTIONS,
    pool: { type: "string", valueHint: "pool", description: "only what is of this pool" },
  },
  run: (args) => showLog("events", args),
});
