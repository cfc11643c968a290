// `fcgivisor quit`.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "quit",
  description: "Stops gracefully: requests in flight finish.",
  options: COMMON,
  run: (values) => operate("quit", values),
});
