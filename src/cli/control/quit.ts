// `fcgivisor quit`.

import { command } from "../command.ts";
import { COMMON } from "../options.ts";
import { operate } from "./operate.ts";

export default command({
  name: "quit",
  description: "Stops gracefully: requests in hand finish.",
  options: COMMON,
  run: (values) => operate("quit", values),
});
