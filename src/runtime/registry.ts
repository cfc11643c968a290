// The kinds there are, the most special first, and which of them a pool's program is.

import { basename } from "node:path";
import type { PoolConfig } from "../config/model.ts";
import { fcgiwrap } from "./fcgiwrap.ts";
import { generic } from "./generic.ts";
import { libfcgi } from "./libfcgi.ts";
import { phpCgi } from "./php-cgi.ts";
import { phpFpm } from "./php-fpm/php-fpm.ts";
import type { Runtime } from "./runtime.ts";

export const RUNTIMES: readonly Runtime[] = [phpCgi, phpFpm, fcgiwrap, libfcgi, generic];

/** The pool's kind: as the config names it, else guessed from the program; undefined for an unknown name. */
export function runtimeOf(pool: PoolConfig): Runtime | undefined {
  if (pool.runtime !== null) return RUNTIMES.find(({ name }) => name === pool.runtime);
  const program = basename(pool.command[0] ?? "");
  return RUNTIMES.find((runtime) => runtime.matches(program));
}

/** The most workers that one group of the pool provides. */
export function groupSizeOf(pool: PoolConfig, runtime: Runtime): number {
  if (runtime.forks === "never") return 1;
  return Math.max(1, Math.min(pool.groupSize ?? pool.workers, pool.workers));
}

/** Whether the process of a group with so many workers forks them, instead of being one. */
export function forksFor(size: number, { forks }: Pick<Runtime, "forks">): boolean {
  return forks === "always" || (forks === "several" && size > 1);
}
