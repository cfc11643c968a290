// Where the control socket and the state are when no config says otherwise, for the process that runs
// here: the daemon leaves its traces there, a control command looks for them there.

import { join } from "node:path";
import { defaultStateDir } from "../config/default-places.ts";

/** The state directory when no config says otherwise. */
export function stateDirDefault(): string {
  return defaultStateDir(process.env, process.getuid!());
}

/** The socket of a supervisor that no config tells a place. */
export function defaultSocket(): string {
  return join(stateDirDefault(), "admin.sock");
}
