// `fcgivisor stop`.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "stop",
  description: "Stops at once: workers get TERM, and KILL a second later.",
  options: COMMON,
  run: (values) => operate("stop", values),
});
