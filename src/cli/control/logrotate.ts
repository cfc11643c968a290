// `fcgivisor logrotate`.

import { defineCommand } from "citty";
import { operate } from "./operate.ts";
import { COMMON } from "../runner.ts";

export default defineCommand({
  meta: {
    name: "logrotate",
    description: "Opens every log file anew, after logrotate(8) has moved it.",
  },
  args: COMMON,
  run: ({ args }) => operate("logrotate", args),
});
