// `fcgivisor reload [POOL...]`.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "reload",
  description:
    "Takes on the new config and php.ini without dropping a request. Returns when the old workers have left.",
  options: {
    ...COMMON,
    pool: {
      type: "positional",
      required: false,
      repeatable: true,
      valueHint: "pool...",
      description: "only these pools",
    },
    wait: {
      type: "boolean",
      default: true,
      negativeDescription: "return when the new workers serve",
    },
    "dry-run": { type: "boolean", description: "print what would be done, and touch nothing" },
  },
  run: (values) =>
    operate("reload", values, {
      pools: values.pool,
      wait: values.wait,
      dry_run: values["dry-run"],
    }),
});
