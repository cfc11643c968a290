// The settings table: every setting there is, one row each. To add one, add its row and its field in
// model.ts and assemble.ts; reader, messages, dump, conversion, comparison and manual follow.

import { POOL_SETTINGS } from "./pool-settings.ts";
import { METRICS } from "./metrics-settings.ts";
import { ADMIN, LOG, SUPERVISOR } from "./supervisor-settings.ts";
import { WORKER_SETTINGS } from "./worker-settings.ts";

export { ADMIN, LOG, METRICS, SUPERVISOR };
export const POOL = { ...POOL_SETTINGS, ...WORKER_SETTINGS };

/** The sections of a config, by their names in TOML. */
export const SECTIONS = {
  supervisor: SUPERVISOR,
  admin: ADMIN,
  log: LOG,
  metrics: METRICS,
  pool: POOL,
};
