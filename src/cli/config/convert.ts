// `fcgivisor convert FILE`: any config it can read, as TOML on stdout.

import { defineCommand } from "citty";
import { faultLines } from "../../fault.ts";
import { loadGivenConfig } from "./load-config.ts";
import { print, printError } from "../print.ts";
import { COMMON } from "../runner.ts";

export default defineCommand({
  meta: {
    name: "convert",
    description: "Prints any config that fcgivisor can read as TOML. Touches nothing.",
  },
  args: {
    file: { type: "positional", description: "the config to convert" },
    prefix: COMMON.prefix,
    quiet: COMMON.quiet,
  },
  async run({ args }) {
    const options: {
      file?: string | undefined;
      prefix?: string | undefined;
      quiet?: boolean | undefined;
    } = args;
    const loaded = await loadGivenConfig({ config: options.file, prefix: options.prefix }, null);
    const { convertConfig } = await import("../../config/convert.ts");
    print(convertConfig(loaded));
    if (options.quiet !== true) {
      for (const warning of loaded.warnings) {
        printError(`warning: ${faultLines(warning).join("\n")}\n`);
      }
    }
    return 0;
  },
});
