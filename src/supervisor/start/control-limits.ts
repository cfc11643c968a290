// Whether the kernel gives the pools the limits that their control groups are to have. A pool serves
// without one: what it lacks is a protection, and that is told.

import type { Config, PoolConfig } from "../../config/model.ts";
import { together } from "../../config/together.ts";
import { Fault } from "../../fault.ts";
import { type Controller, controllerLack } from "../../sys/control-group.ts";
import { controlLimitsOf } from "../../worker/launch.ts";

const SETTINGS = { memory: "memory_max", pids: "pids_max" } as const;

/** A warning for each limit that cannot be had. Only the process that serves can tell: it is about its own group. */
export function missingLimits({ pools }: Config): Fault[] {
  return together(pools.flatMap((pool) => [missing(pool, "memory"), missing(pool, "pids")].flat()));
}

function missing(pool: PoolConfig, controller: Controller): Fault[] {
  const lack = controlLimitsOf(pool)[controller] === null ? null : controllerLack(controller);
  if (lack === null) return [];
  const setting = SETTINGS[controller];
  const message = `pool ${pool.name}: ${setting} has no effect, because ${lack}`;
  return [new Fault(message, { where: pool.place ?? "", hint: HINTS[setting] })];
}

const NEEDED =
  "run it where control groups of version 2 are delegated (Delegate=yes, as in the unit of `fcgivisor service systemd`)";
const HINTS = {
  memory_max: `${NEEDED}, or bound each worker by rlimit_memory`,
  pids_max: `${NEEDED}, or bound the pool's user by rlimit_processes`,
} as const;
