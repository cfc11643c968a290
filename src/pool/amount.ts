// What `scale` is told, `8`, `+2`, `-2` or `2..10`, and the limits that this makes of those in force. Pure.

import type { PoolConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import { DEFAULT_MAX_SPARE, type ScalingLimits } from "./scaling.ts";

export const AMOUNT_HINT = "examples: 8, +2, -2, 2..10; the most is 10000";
const MOST = 10_000;

/** Throws a Fault for what is none, or leads to none. `pool`: its config; `limits`: those in force. */
export function scaledLimits(
  text: string,
  pool: PoolConfig,
  limits: ScalingLimits | null,
): ScalingLimits {
  const range = /^(\d{1,6})\.\.(\d{1,6})$/.exec(text);
  if (range !== null) return between(Number(range[1]), Number(range[2]), pool, limits);
  const number = /^([+-]?)(\d{1,6})$/.exec(text);
  if (number === null) throw bad(`"${text}" is no number of workers`);
  const [, sign, digits] = number;
  const most = limits?.most ?? pool.workers;
  const change = Number(digits) * (sign === "-" ? -1 : 1);
  const wanted = sign === "" ? Number(digits) : most + change;
  if (wanted < 1) throw bad(tooFew(sign === "" ? null : most, wanted));
  return atMost(checked(wanted), pool, limits);
}

/** A pool that does not follow its load has so many active at all times. */
function atMost(most: number, pool: PoolConfig, limits: ScalingLimits | null): ScalingLimits {
  if (limits !== null && limits.least < limits.most)
    return { ...limits, most, least: Math.min(limits.least, most) };
  const { idleTimeoutMs } = pool;
  return { least: most, most, minSpare: 0, maxSpare: most, idleTimeoutMs, restTimeoutMs: null };
}

function between(
  least: number,
  most: number,
  { idleTimeoutMs }: PoolConfig,
  limits: ScalingLimits | null,
): ScalingLimits {
  if (least < 1) throw bad("one worker of a pool is active at all times");
  if (least > most) throw bad(`${least} is more than ${most}`);
  checked(most);
  if (limits !== null && limits.least < limits.most)
    return { ...limits, least, most, restTimeoutMs: null };
  const maxSpare = Math.min(most, DEFAULT_MAX_SPARE);
  return { least, most, minSpare: 1, maxSpare, idleTimeoutMs, restTimeoutMs: null };
}

function checked(most: number): number {
  if (most > MOST) throw bad(`${most} workers are more than a pool may have`);
  return most;
}

function tooFew(most: number | null, wanted: number): string {
  const rest = "at least one worker is needed; `pause` lets none take requests";
  return most === null
    ? rest
    : `the pool has ${most} workers at most, so that leaves ${wanted}: ${rest}`;
}

function bad(message: string): Fault {
  return new Fault(message, { where: "scale", hint: AMOUNT_HINT });
}
