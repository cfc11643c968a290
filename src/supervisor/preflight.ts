// What a config alone cannot tell and would only show when workers start: users, folders, programs,
// and what the program itself says of its settings (a php.ini that does not parse). All of it is
// looked at before anything is touched, and everything wrong is reported at once.

import { statSync } from "node:fs";
import { join } from "node:path";
import type { Config, PoolConfig } from "../config/model.ts";
import { asFault, Fault } from "../fault.ts";
import { RUNTIMES, runtimeOf } from "../runtime/registry.ts";
import type { Preflight, Runtime } from "../runtime/runtime.ts";
import { type Captured, capture } from "../sys/process.ts";
import { shortage } from "../sys/scarcity.ts";
import { findGroup, findUser } from "../sys/users.ts";
import { identityOf, isRoot } from "../worker/identity.ts";
import { launchForQuestion } from "../worker/launch.ts";
import { chrootOf } from "../worker/program.ts";

const QUESTION_TIMEOUT_MS = 10_000;

/** Returns warnings; throws one Fault whose parts are all errors. `only`: the pools to look at. */
export async function preflight(
  config: Config,
  only?: ReadonlySet<string>,
): Promise<readonly Fault[]> {
  const asked = new Map<string, Promise<Captured>>();
  const pools = config.pools.filter(({ name }) => only === undefined || only.has(name));
  const results = await Promise.all(
    pools.map((pool) => inspect(pool, config.supervisor.allowRoot, asked)),
  );
  const errors = results.flatMap((result) => result.errors);
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1)
    throw new Fault(`${errors.length} things would keep workers from starting`, { parts: errors });
  return results.flatMap((result) => result.warnings);
}

async function inspect(
  pool: PoolConfig,
  allowRoot: boolean,
  asked: Map<string, Promise<Captured>>,
): Promise<Preflight> {
  const runtime = runtimeOf(pool);
  if (runtime === undefined) return { errors: [unknownRuntime(pool)], warnings: [] };
  const errors = [
    ...attempt(() => checkIdentity(pool, allowRoot)),
    ...checkFolders(pool),
    ...checkSocketOwner(pool),
  ];
  if (errors.length > 0) return { errors, warnings: [] };
  try {
    return await ask(pool, runtime, asked);
  } catch (error) {
    return { errors: [asFault(error)], warnings: [] };
  }
}

/** Pools that differ only in what the question does not depend on share one answer. */
async function ask(
  pool: PoolConfig,
  runtime: Runtime,
  asked: Map<string, Promise<Captured>>,
): Promise<Preflight> {
  // Finds the program, even where the runtime has no question of its own.
  const empty = launchForQuestion(pool, runtime, []);
  if (runtime.preflight === undefined || empty.argv.length === 0)
    return { errors: [], warnings: [] };
  return runtime.preflight(pool, (args) => {
    const launch = launchForQuestion(pool, runtime, args);
    const key = JSON.stringify(launch);
    const answer = asked.get(key) ?? capture(launch, QUESTION_TIMEOUT_MS).catch(cannotAsk);
    asked.set(key, answer);
    return answer;
  });
}

function cannotAsk(error: unknown): never {
  throw new Fault("the program cannot be asked about its settings", {
    cause: error,
    ...shortage(error),
  });
}

function attempt(check: () => void): Fault[] {
  try {
    check();
    return [];
  } catch (error) {
    return [asFault(error)];
  }
}

function checkIdentity(pool: PoolConfig, allowRoot: boolean): void {
  const identity = identityOf(pool);
  const uid = identity?.uid ?? process.getuid!();
  const gid = identity?.gid ?? process.getgid!();
  if (allowRoot || !isRoot() || (uid !== 0 && gid !== 0)) return;
  throw new Fault(`the workers would run as ${uid === 0 ? "root" : "the group root"}`, {
    where: `pool ${pool.name}`,
    hint: 'set `user` (and `group`) to somebody else, for example "www-data", or allow_root = true under [supervisor]',
  });
}

function checkFolders(pool: PoolConfig): Fault[] {
  const root = chrootOf(pool);
  const inside = (path: string) => (root === null ? path : join(root, path));
  const folders: [string, string | null][] = [
    ["chroot", root],
    ["chdir", pool.chdir === null ? null : inside(pool.chdir)],
  ];
  return folders.flatMap(([setting, path]) => {
    if (path === null || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
      return [];
    return [
      new Fault(`${setting}: ${path} is not a directory`, {
        where: `pool ${pool.name}`,
        hint: `create it, or correct \`${setting}\``,
      }),
    ];
  });
}

function checkSocketOwner(pool: PoolConfig): Fault[] {
  const { owner, group } = pool.listen;
  const faults: Fault[] = [];
  const missing = (kind: string, name: string) =>
    faults.push(
      new Fault(`there is no ${kind} "${name}" to give the listening socket to`, {
        where: `pool ${pool.name}`,
        hint: `create it, or correct \`listen.${kind === "user" ? "owner" : "group"}\``,
      }),
    );
  if (owner !== null && findUser(owner) === null) missing("user", owner);
  if (group !== null && findGroup(group) === null) missing("group", group);
  return faults;
}

function unknownRuntime(pool: PoolConfig): Fault {
  return new Fault(`there is no runtime "${pool.runtime}"`, {
    where: `pool ${pool.name}`,
    hint: `known are ${RUNTIMES.map(({ name }) => name).join(", ")}`,
  });
}
