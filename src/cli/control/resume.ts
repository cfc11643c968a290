// `fcgivisor resume POOL`.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "resume",
  description: "A pool that was paused takes requests again.",
  options: { ...COMMON, pool: { type: "positional" } },
  run: (values) => operate("resume", values, { pools: [values.pool] }),
});
