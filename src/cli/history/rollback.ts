// `fcgivisor rollback [N]`: runs with the config of an earlier generation again.

import { defineCommand } from "../command.ts";
import { operate } from "../control/operate.ts";
import { COMMON } from "../options.ts";
import { GENERATION, generationOf } from "./generation.ts";

export default defineCommand({
  name: "rollback",
  description:
    "Runs with the config of an earlier generation again, as a reload would. The files stay as they are.",
  options: {
    ...COMMON,
    generation: GENERATION,
    wait: {
      type: "boolean",
      default: true,
      negativeDescription: "return when the new workers serve",
    },
    "dry-run": { type: "boolean", description: "print what would be done, and touch nothing" },
  },
  run(values) {
    const generation = generationOf(values.generation, "rollback");
    const { wait, "dry-run": dry_run } = values;
    return operate("rollback", values, {
      wait,
      dry_run,
      ...(generation === null ? {} : { generation }),
    });
  },
});
