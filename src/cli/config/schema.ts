// `fcgivisor schema`: the JSON Schema of the TOML config, for editors.

import { defineCommand } from "../command.ts";
import { printJson } from "../print.ts";

export default defineCommand({
  name: "schema",
  description:
    "Prints the JSON Schema of the TOML config. Editors use it when the config's first line is #:schema FILE.",
  options: {},
  async run() {
    const { configSchema } = await import("../../config/derived/json-schema.ts");
    printJson(configSchema());
    return 0;
  },
});
