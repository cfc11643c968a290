// `fcgivisor schema`: the JSON Schema of the TOML config, for editors, or of what the program answers.

import { didYouMean } from "../../config/nearest.ts";
import { defineCommand } from "../command.ts";
import { printJson } from "../print.ts";
import { usageFault } from "../usage.ts";

export default defineCommand({
  name: "schema",
  description:
    "Prints the JSON Schema of the TOML config, or with the word `answers` that of the control socket's answers. Editors use the first when the config's first line is #:schema FILE.",
  options: {
    what: {
      type: "positional",
      required: false,
      valueHint: "what",
      description: "config or answers",
      choices: { config: "of the TOML config", answers: "of what the control socket answers" },
    },
  },
  async run({ what = "config" }) {
    printJson(await schemaOf(what));
    return 0;
  },
});

async function schemaOf(what: string) {
  switch (what) {
    case "config":
      return (await import("../../config/derived/json-schema.ts")).configSchema();
    case "answers":
      return (await import("../../admin/schema.ts")).answersSchema();
    default:
      throw usageFault(
        `there is no schema of "${what}": it is config or answers${didYouMean(what, ["config", "answers"])}`,
        "schema",
      );
  }
}
