// The rule of [supervisor] max_workers: what all pools have in any case must fit.

import type { ConfigFormat, PoolConfig } from "../model.ts";
import type { Problems, Where } from "../problems.ts";

/** So many are active whatever the load is. */
export function leastActive({ scaling, workers }: PoolConfig): number {
  return scaling === "static" ? workers : 1;
}

/** `most`: 0 = no limit. Too few is no error: php-fpm starts with such a process.max, too. */
export function checkMaxWorkers(
  most: number,
  pools: readonly PoolConfig[],
  where: Where,
  format: ConfigFormat,
  problems: Problems,
): void {
  const needed = pools.map(leastActive).reduce((sum, each) => sum + each, 0);
  if (most === 0 || needed <= most) return;
  const name = format === "php-fpm-ini" ? "process.max" : "max_workers";
  problems.warn(
    `${name} is ${most}, but the pools have ${needed} active workers in any case: it limits the others only`,
    where,
    'give static pools fewer workers, or let them follow their load: scaling = "dynamic"',
  );
}
