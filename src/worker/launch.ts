// How a pool's program is started: its arguments, its environment, and whether it needs the shim, which
// does what Bun.spawn cannot (a user in several groups, chroot, umask, nice, limits). Pure but for the
// lookup of users and programs.

import type { PoolConfig } from "../config/model.ts";
import { referencedName } from "../config/settings/special-values.ts";
import type { Runtime, SettingsFile } from "../runtime/runtime.ts";
import { type SpawnSpec, TASK_PATH, taskFd } from "../sys/process.ts";
import { controlGroupOf, type ControlLimits } from "../sys/control-group.ts";
import { filesAreBounded } from "../sys/exec/become.ts";
import { isOwnVariable, selfCommand } from "../sys/exec/self.ts";
import { identityOf, isRoot, userVariables } from "./identity.ts";
import { chrootOf, findProgram, isSafeToStart } from "./program.ts";
import { needsShim, SHIM_WORD, type ShimTask } from "./shim-task.ts";

export interface GroupShape {
  /** Workers this process provides. */
  readonly size: number;
  /** 0 = endless. */
  readonly maxRequests: number;
  /** Which worker of its pool it is, from 0 on; null where one process forks what it provides. */
  readonly number: number | null;
}

/** By it programs name a log or a cache of their own. */
const NUMBER = "FCGIVISOR_WORKER";

type Launch = Omit<SpawnSpec, "stdin" | "third" | "output">;

/** What to spawn for one group, with the path of its settings file. Throws Faults for a missing program, user or group. */
export function launchOf(
  pool: PoolConfig,
  runtime: Runtime,
  shape: GroupShape,
  settings: GroupSettings | null,
): Launch {
  const { command } = pool;
  const args = runtime.args(pool, settings?.path ?? null);
  const words = [
    findProgram(pool, runtime),
    ...args,
    ...command.slice(1),
    ...runtime.lastArgs(pool),
  ];
  const env = {
    ...environmentFor(pool, runtime, settings?.file ?? null),
    ...(shape.number === null ? {} : { [NUMBER]: String(shape.number) }),
    ...runtime.env(pool, shape),
  };
  const launch = throughShim(pool, runtime, words, env);
  const group = controlGroupOf(pool.name);
  if (group === null) return launch;
  group.limit(controlLimitsOf(pool));
  return { ...launch, controlGroup: group.path };
}

export interface GroupSettings {
  readonly path: string;
  readonly file: SettingsFile;
}

/** What the settings file of such a group holds; null where its program needs none. */
export function settingsOf(
  pool: PoolConfig,
  runtime: Runtime,
  { size, maxRequests }: Pick<GroupShape, "size" | "maxRequests">,
): SettingsFile | null {
  if (runtime.settingsFile === undefined) return null;
  const env = { ...userVariables(pool), ...ownVariables(pool) };
  for (const name of runtime.forbiddenEnv) delete env[name];
  return runtime.settingsFile(pool, { isRoot: isRoot(), size, maxRequests, env });
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
  const settings = settingsOf(pool, runtime, { size: pool.workers, maxRequests: pool.maxRequests });
  const env = environmentFor(pool, runtime, settings);
  const path = settings === null ? null : TASK_PATH;
  const words = [
    ...[findProgram(pool, runtime), ...runtime.args(pool, path)],
    ...[...runtime.lastArgs(pool), ...args],
  ];
  // It is asked as what is spawned: that is what the supervisor is.
  if (settings !== null) return { argv: words, env, cwd: "/", task: settings.text };
  return throughShim(pool, runtime, words, env);
}

/**
 * php-fpm's rules: the pool's own variables, then USER and HOME unless the pool sets them; a value
 * that is `$NAME` as a whole is looked up in the supervisor's environment (unset: empty). The
 * supervisor's own come last: whose HOME and USER they have is another one.
 */
function workerEnvironment(pool: PoolConfig, runtime: Runtime): Record<string, string> {
  return {
    ...(pool.clearEnv ? {} : inheritedVariables()),
    ...userVariables(pool),
    ...ownVariables(pool),
    ...runtime.argumentVariables(pool),
  };
}

/** Where the program has a file of settings, the workers' variables stand there, and it has ours itself, as php.ini may name them. */
function environmentFor(
  pool: PoolConfig,
  runtime: Runtime,
  settings: SettingsFile | null,
): Record<string, string> {
  const env =
    settings === null
      ? workerEnvironment(pool, runtime)
      : { ...inheritedVariables(), ...settings.variables };
  for (const name of runtime.forbiddenEnv) delete env[name];
  return env;
}

function inheritedVariables(): Record<string, string> {
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !isOwnVariable(entry[0]),
  );
  return Object.fromEntries(entries);
}

function ownVariables(pool: PoolConfig): Record<string, string> {
  const own = [...pool.env].map(([name, value]) => {
    const reference = referencedName(value);
    return [name, reference === null ? value : (process.env[reference] ?? "")] as const;
  });
  return Object.fromEntries(own);
}

function throughShim(
  pool: PoolConfig,
  { confinesWorkers, socketFd }: Runtime,
  argv: string[],
  env: Record<string, string>,
): Launch {
  const root = isRoot();
  const itself = confinesWorkers && root;
  const task: ShimTask = {
    argv,
    env,
    staysRoot: itself,
    identity: itself ? null : identityOf(pool),
    chroot: chrootOf(pool),
    // A daemon started by root must not read code from where it stands: PHP looks for php.ini there.
    chdir: confinesWorkers ? "/" : (pool.chdir ?? "/"),
    umask: pool.umask,
    nice: itself ? null : pool.nice,
    rlimitFiles: confinesWorkers ? null : pool.rlimitFiles,
    rlimitCore: confinesWorkers ? null : pool.rlimitCore,
    rlimitProcesses: pool.rlimitProcesses,
    rlimitMemory: pool.rlimitMemory,
    noNewPrivs: pool.noNewPrivs,
    privateTmp: root && pool.privateTmp,
    readOnly: root && pool.readOnly,
    writable: pool.writable,
  };
  const circumstances = {
    filesAreBounded: filesAreBounded(),
    isSafeToStart: task.identity === null || isSafeToStart(argv[0]!, task.chdir),
  };
  if (!needsShim(task, circumstances)) {
    return { argv, env, cwd: task.chdir, identity: task.identity };
  }
  const fd = taskFd(socketFd !== 0);
  return {
    argv: [...selfCommand(), SHIM_WORD, String(fd)],
    env: {},
    task: JSON.stringify(task),
  };
}
