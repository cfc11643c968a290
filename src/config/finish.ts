// The last step for every format: from a draft to a Config, or to all that is wrong with it.

import type { Fault } from "../fault.ts";
import type { Draft } from "./draft.ts";
import type { Config } from "./model.ts";
import { inOrder, summary, theMore, type Problems } from "./problems.ts";
import { together } from "./together.ts";
import { resolveDraft, type Surroundings } from "./resolve.ts";

export interface Loaded {
  readonly config: Config;
  readonly warnings: readonly Fault[];
  /** "pools.www.workers" to "FILE:LINE"; what nobody gave is not in it. */
  readonly origins: ReadonlyMap<string, string>;
  /** By pool: lines that a conversion writes as comments. */
  readonly notes?: ReadonlyMap<string, readonly string[]>;
}

/** Throws one Fault whose parts are all errors in `problems` and those found here. */
export function finish(
  draft: Draft,
  surroundings: Surroundings,
  problems: Problems,
  where: string,
): Loaded {
  const origins = new Map<string, string>();
  const config = resolveDraft(draft, surroundings, problems, origins);
  if (problems.errors.listed.length > 0) throw summary(problems, where);
  const notes = new Map(draft.pools.map((pool) => [pool.name, pool.notes ?? []]));
  const warnings = [
    ...together(inOrder(problems.warnings.listed)),
    ...theMore(problems.warnings, "warnings"),
  ];
  return { config, warnings, origins, notes };
}
