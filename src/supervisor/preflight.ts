// What can be known before anything is started: users, programs, folders. Nothing is touched.

import type { Config } from "../config/model.ts";
import type { Fault } from "../fault.ts";

/** Returns warnings; throws one Fault whose parts are all that would keep the config from running. */
export async function preflight(_config: Config): Promise<readonly Fault[]> {
  return [];
}
