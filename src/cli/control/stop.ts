// `fcgivisor stop [POOL]`.

import { defineCommand } from "../command.ts";
import { COMMON, ONE_POOL, onePool } from "../options.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "stop",
  description:
    "Stops at once: workers get TERM, and KILL a second later. With a pool, only that one: its socket is closed, the others are not touched, and `start POOL` or a reload brings it back.",
  options: { ...COMMON, ...ONE_POOL },
  run: (values) => operate("stop", values, onePool(values)),
});
