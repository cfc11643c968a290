// `fcgivisor convert FILE`: any config it can read, as TOML on stdout.

import { loadGivenConfig } from "./load-config.ts";
import { print, printError } from "../print.ts";
import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { warningLines } from "./warnings.ts";

export default defineCommand({
  name: "convert",
  description: "Prints any config that fcgivisor can read as TOML. Touches nothing.",
  options: {
    file: { type: "positional", description: "the config to convert" },
    prefix: COMMON.prefix,
    quiet: COMMON.quiet,
  },
  async run({ file, prefix, quiet }) {
    const loaded = await loadGivenConfig({ config: file, prefix }, null);
    const { convertConfig } = await import("../../config/derived/convert.ts");
    print(convertConfig(loaded));
    if (!quiet) {
      for (const line of warningLines(loaded.warnings)) printError(`${line}\n`);
    }
    return 0;
  },
});
