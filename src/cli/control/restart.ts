// `fcgivisor restart [POOL]`.

import { defineCommand } from "../command.ts";
import { COMMON, ONE_POOL, onePool } from "../options.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "restart",
  description:
    "Stops and starts everything with the config as it is now, the sockets staying open meanwhile. With a pool, only that one.",
  options: { ...COMMON, ...ONE_POOL },
  run: (values) => operate("restart", values, onePool(values)),
});
