// What every change begins with: the config read again, limited to the pools asked for, and all that
// can be looked at looked at, before anything is touched.

import type { Loaded } from "../../config/load.ts";
import type { Config } from "../../config/model.ts";
import { limitedTo } from "./plan.ts";
import { missingLimits } from "../start/control-limits.ts";
import { preflight } from "../start/preflight.ts";

export interface Proposal {
  readonly loaded: Loaded;
  /** The config to come. */
  readonly next: Config;
  readonly warnings: readonly string[];
}

/** Throws the Fault that says all that is wrong. `only`: the pools to touch; empty = all. */
export async function propose(
  running: Config,
  load: () => Promise<Loaded>,
  only: readonly string[] = [],
): Promise<Proposal> {
  const loaded = await load();
  const next = limitedTo(only, running, loaded.config);
  const found = await preflight(next, only.length === 0 ? undefined : new Set(only));
  const warnings = [...loaded.warnings, ...found, ...missingLimits(next)].map(
    ({ message }) => message,
  );
  return { loaded, next, warnings };
}
