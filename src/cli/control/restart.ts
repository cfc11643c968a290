// `fcgivisor restart`.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "restart",
  description:
    "Stops and starts everything with the config as it is now, the sockets staying open meanwhile.",
  options: COMMON,
  run: (values) => operate("restart", values),
});
