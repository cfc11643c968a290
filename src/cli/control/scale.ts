// `fcgivisor scale POOL WORKERS`.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { print } from "../print.ts";
import { usageFault } from "../usage.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "scale",
  description:
    "How many workers of a pool may be active, until its next reload: 8, or +2 or -2 (beside what there may be now), or 2..10 (as the load needs them). Parked workers are woken first; where there are too few, more are started.",
  options: {
    ...COMMON,
    pool: { type: "positional" },
    workers: { type: "positional" },
    save: {
      type: "boolean",
      description: "write the number into the config as well (TOML); its comments and layout stay",
    },
  },
  async run(values) {
    const { pool, workers, save } = values;
    if (save && workers.includes(".."))
      throw usageFault("--save takes a number: a range has no place in the config", "scale");
    let most = 0;
    const code = await operate("scale", values, { pools: [pool], workers }, ({ active }) => {
      most = active!.most;
    });
    if (!save) return code;
    const { saveWorkers } = await import("./save-workers.ts");
    const file = await saveWorkers(values, pool, most);
    if (!values.quiet && !values.json) print(`saved in ${file}\n`);
    return code;
  },
});
