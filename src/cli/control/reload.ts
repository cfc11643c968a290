// `fcgivisor reload [POOL...]`.

import { defineCommand } from "citty";
import { operate } from "./operate.ts";
import { COMMON } from "../runner.ts";

export default defineCommand({
  meta: {
    name: "reload",
    description:
      "Takes on the new config and php.ini without dropping a request. Returns when the old workers have left.",
  },
  args: {
    ...COMMON,
    pool: {
      type: "positional",
      required: false,
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
  run: ({ args }) =>
    operate("reload", args, {
      pools: args._,
      wait: args.wait,
      dry_run: args["dry-run"] === true,
    }),
});
