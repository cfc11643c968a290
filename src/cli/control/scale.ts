// `fcgivisor scale POOL WORKERS`.

import { defineCommand } from "../command.ts";
import { COMMON } from "../options.ts";
import { operate } from "./operate.ts";

export default defineCommand({
  name: "scale",
  description:
    "How many workers of a pool may be active, until its next reload: 8, or +2 or -2 (beside what there may be now), or 2..10 (as the load needs them). Parked workers are woken first; where there are too few, more are started.",
  options: {
    ...COMMON,
    pool: { type: "positional" },
    workers: { type: "positional" },
  },
  run: (values) => operate("scale", values, { pools: [values.pool], workers: values.workers }),
});
