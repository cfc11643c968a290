// `fcgivisor logrotate`.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "logrotate",
  description: "Reopens every log file, after logrotate(8) has moved it.",
  options: COMMON,
  run: (values) => operate("logrotate", values),
});
