// `fcgivisor quit`.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { usageFault } from "../usage.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "quit",
  description: "Stops gracefully: requests in flight finish.",
  options: {
    ...COMMON,
    "lame-duck": {
      type: "string",
      valueHint: "duration",
      description: "before that, say so long on /readyz that it is not ready, and serve as ever",
    },
  },
  async run(values) {
    const { "lame-duck": text } = values;
    if (text === undefined) return operate("quit", values);
    const { duration } = await import("../../config/settings/durations.ts");
    const parsed = duration().parse(text, "");
    if (!("ok" in parsed)) throw usageFault(`--lame-duck: ${parsed.problem}`, "quit");
    return operate("quit", values, { lame_duck_ms: parsed.ok });
  },
});
