// How a pool's program is started: its arguments, its environment, and whether it needs the shim, which
// does what Bun.spawn cannot (a user in several groups, chroot, umask, nice, limits). Pure but for the
// lookup of users and programs.

import type { PoolConfig } from "../config/model.ts";
import { referencedName } from "../config/settings/special-values.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { SpawnSpec } from "../sys/process.ts";
import { controlGroupOf, type ControlLimits } from "../sys/control-group.ts";
import { filesAreBounded } from "../sys/exec/become.ts";
import { isOwnVariable, selfCommand } from "../sys/exec/self.ts";
import { identityOf, isRoot, userVariables } from "./identity.ts";
import { chrootOf, findProgram } from "./program.ts";
import { needsShim, SHIM_WORD, type ShimTask } from "./shim-task.ts";

export interface GroupShape {
  /** Workers this process provides. */
  readonly size: number;
  /** 0 = endless. */
  readonly maxRequests: number;
  /** Which worker of its pool it is, from 0 on; null where one process provides several. */
  readonly number: number | null;
}

/** By it programs name a log or a cache of their own. */
const NUMBER = "FCGIVISOR_WORKER";

type Launch = Omit<SpawnSpec, "stdin" | "output">;

/** What to spawn for one group. Throws Faults for a missing program, user or group. */
export function launchOf(pool: PoolConfig, runtime: Runtime, shape: GroupShape): Launch {
  const args = [...runtime.args(pool), ...pool.command.slice(1), ...runtime.lastArgs(pool)];
  const env = {
    ...workerEnvironment(pool, runtime),
    ...(shape.number === null ? {} : { [NUMBER]: String(shape.number) }),
    ...runtime.env(pool, shape),
  };
  const launch = throughShim(pool, [findProgram(pool), ...args], env);
  const group = controlGroupOf(pool.name);
  if (group === null) return launch;
  group.limit(controlLimitsOf(pool));
  return { ...launch, controlGroup: group.path };
}

/** What the control group of the pool shall hold. */
export function controlLimitsOf({ memoryMax, pidsMax }: PoolConfig): ControlLimits {
  return { memory: memoryMax === "unlimited" ? null : memoryMax, pids: pidsMax };
}

/** The same program with other arguments, for asking it something beforehand. */
export function launchForQuestion(
  pool: PoolConfig,
  runtime: Runtime,
  args: readonly string[],
): Launch {
  return throughShim(
    pool,
    [findProgram(pool), ...runtime.args(pool), ...runtime.lastArgs(pool), ...args],
    workerEnvironment(pool, runtime),
  );
}

/**
 * php-fpm's rules: the pool's own variables, then USER and HOME unless the pool sets them; a value
 * that is `$NAME` as a whole is looked up in the supervisor's environment (unset: empty). The
 * supervisor's own come last: whose HOME and USER they have is another one.
 */
function workerEnvironment(pool: PoolConfig, runtime: Runtime): Record<string, string> {
  const inherited = pool.clearEnv
    ? []
    : Object.entries(process.env).filter(
        ([name, value]) => value !== undefined && !isOwnVariable(name),
      );
  const own = [...pool.env].map(([name, value]) => {
    const reference = referencedName(value);
    return [name, reference === null ? value : (process.env[reference] ?? "")];
  });
  const env = {
    ...Object.fromEntries(inherited),
    ...userVariables(pool),
    ...Object.fromEntries(own),
    ...runtime.argumentVariables(pool),
  };
  for (const name of runtime.forbiddenEnv) delete env[name];
  return env;
}

function throughShim(pool: PoolConfig, argv: string[], env: Record<string, string>): Launch {
  const task: ShimTask = {
    argv,
    env,
    identity: identityOf(pool),
    chroot: chrootOf(pool),
    // A daemon started by root must not read code from where it stands: PHP looks for php.ini there.
    chdir: pool.chdir ?? "/",
    umask: pool.umask,
    nice: pool.nice,
    rlimitFiles: pool.rlimitFiles,
    rlimitCore: pool.rlimitCore,
    rlimitProcesses: pool.rlimitProcesses,
    rlimitMemory: pool.rlimitMemory,
    noNewPrivs: pool.noNewPrivs,
    privateTmp: isRoot() && pool.privateTmp,
    readOnly: isRoot() && pool.readOnly,
    writable: pool.writable,
  };
  if (!needsShim(task, filesAreBounded())) {
    return { argv, env, cwd: task.chdir, identity: task.identity };
  }
  return { argv: [...selfCommand(), SHIM_WORD], env: {}, task: JSON.stringify(task) };
}
