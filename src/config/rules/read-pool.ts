// A pool between being read and being sound: what the rules look at.

import type { PoolConfig } from "../model.ts";
import type { Where } from "../problems.ts";

/** A pool as read, with what is known of its settings. */
export interface ReadPool {
  readonly config: PoolConfig;
  readonly failed: ReadonlySet<string>;
  /** `key`: of one name in a table, where that is kept. */
  place(setting: string, key?: string): Where;
  given(setting: string): boolean;
}
