// `fcgivisor convert FILE`: any config it can read, as TOML on stdout.

import { faultText } from "../../fault.ts";
import { loadGivenConfig } from "./load-config.ts";
import { printData, printError } from "../print.ts";
import { defineCommand } from "../command.ts";
import { COMMON, PHP } from "../options.ts";

export default defineCommand({
  name: "convert",
  description: "Prints any config that fcgivisor can read as TOML. Touches nothing.",
  options: {
    file: { type: "positional", description: "the config to convert" },
    prefix: COMMON.prefix,
    php: PHP,
    quiet: COMMON.quiet,
  },
  async run({ file, prefix, php, quiet }) {
    const loaded = await loadGivenConfig({ config: file, prefix, php }, null);
    const { convertConfig } = await import("../../config/derived/convert.ts");
    printData(convertConfig(loaded));
    if (!quiet) {
      for (const warning of loaded.warnings) printError(`warning: ${faultText(warning)}\n`);
    }
    return 0;
  },
});
