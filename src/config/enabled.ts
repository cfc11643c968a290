// Pools with `enabled = false` are read and checked like the others, and then kept out of what is run.

import type { Loaded } from "./finish.ts";
import { Fault } from "../fault.ts";

/** The same without them. Throws the Fault where none is left. */
export function enabledOnly(loaded: Loaded): Loaded {
  const { config } = loaded;
  const pools = config.pools.filter(({ enabled }) => enabled);
  if (pools.length === config.pools.length) return loaded;
  if (pools.length > 0) return { ...loaded, config: { ...config, pools } };
  throw new Fault("every pool of this config is kept out by enabled = false", {
    ...(config.source.file === null ? {} : { where: { file: config.source.file } }),
    hint: "set enabled = true for one at least",
  });
}
