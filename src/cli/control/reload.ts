// `fcgivisor reload [POOL...]`.

import { resolve } from "node:path";
import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { usageFault } from "../usage.ts";
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
    "wait-probation": {
      type: "boolean",
      description: "return when reload.probation is over; exit 1 if the supervisor has gone back",
    },
    changed: {
      type: "boolean",
      description: "only pools whose config, php.ini or program has changed since they started",
    },
    "switch-config": {
      type: "string",
      valueHint: "file",
      description: "run with this config from here on, whichever it was before",
    },
  },
  run(values) {
    const { pool, wait, "dry-run": dry_run, "switch-config": file, changed } = values;
    if (pool.length > 0 && (file !== undefined || changed))
      throw usageFault(`--${changed ? "changed" : "switch-config"} takes no pools`, "reload");
    const options = {
      wait,
      dry_run,
      ...(changed ? { changed } : {}),
      ...(values["wait-probation"] ? { wait_probation: true } : {}),
    };
    const pools = pool.length === 0 ? {} : { pools: pool };
    if (file === undefined) return operate("reload", values, { ...options, ...pools });
    // The supervisor is that of -c or --socket, else the one whose place the new config names.
    const args = { ...values, config: values.config ?? file };
    return operate("reload", args, { ...options, config: resolve(file) });
  },
});
