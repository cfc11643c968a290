// `fcgivisor quit`.

import { defineCommand } from "citty";
import { operate } from "./operate.ts";
import { COMMON } from "../runner.ts";

export default defineCommand({
  meta: { name: "quit", description: "Stops gracefully: requests in hand finish." },
  args: COMMON,
  run: ({ args }) => operate("quit", args),
});
