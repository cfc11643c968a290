// `fcgivisor stop`.

import { defineCommand } from "citty";
import { operate } from "./operate.ts";
import { COMMON } from "../runner.ts";

export default defineCommand({
  meta: { name: "stop", description: "Stops at once: workers get TERM, and KILL a second later." },
  args: COMMON,
  run: ({ args }) => operate("stop", args),
});
