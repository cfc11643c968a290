// `fcgivisor restart`.

import { defineCommand } from "citty";
import { operate } from "./operate.ts";
import { COMMON } from "../runner.ts";

export default defineCommand({
  meta: {
    name: "restart",
    description:
      "Stops and starts everything with the config as it is now, the sockets staying open meanwhile.",
  },
  args: COMMON,
  run: ({ args }) => operate("restart", args),
});
