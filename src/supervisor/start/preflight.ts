// What a config alone cannot tell and would only show at the start: users, folders, programs, the place
// of the log, and what a pool's program says of its settings (a php.ini that does not parse). All of it is
// looked at before anything is touched, and everything wrong is reported at once.

import { dirname } from "node:path";
import type { Config, PoolConfig } from "../../config/model.ts";
import { together } from "../../config/together.ts";
import { poolLacks } from "../../config/rules/pool-lacks.ts";
import { asFault, Fault } from "../../fault.ts";
import { logFileFault } from "../../log/file.ts";
import { RUNTIMES, runtimeOf } from "../../runtime/registry.ts";
import type { Preflight, Runtime } from "../../runtime/runtime.ts";
import { type Captured, capture } from "../../sys/process.ts";
import { groupLack, type Lack, lackFault, userLack } from "../../sys/machine/machine.ts";
import { findUser } from "../../sys/machine/users.ts";
import { shortage } from "../../sys/machine/scarcity.ts";
import { exposure, exposureText } from "../../sys/trust.ts";
import { eachLimited } from "./concurrency.ts";
import { missingSocketFolders, tooManyForMemory } from "./machine-fit.ts";
import { identityOf, isRoot } from "../../worker/identity.ts";
import { launchForQuestion } from "../../worker/launch.ts";

const QUESTION_TIMEOUT_MS = 10_000;
const NEVER = new AbortController().signal;

/** Returns warnings; throws one Fault whose parts are all errors. `only`: the pools to look at. */
export async function preflight(
  config: Config,
  only?: ReadonlySet<string>,
): Promise<readonly Fault[]> {
  const asked = new Map<string, Promise<Captured>>();
  const pools = config.pools.filter(({ name }) => only === undefined || only.has(name));
  const results: Preflight[] = [];
  // Each pool may be a program that is started for it: some at a time, so that none is late for the others.
  await eachLimited([...pools.entries()], NEVER, async ([i, pool]) => {
    results[i] = await inspect(pool, config.supervisor.allowRoot, asked);
  });
  const whole = only === undefined;
  const own = whole ? [...supervisorFaults(config), ...missingSocketFolders(config)] : [];
  const errors = [...own, ...results.flatMap((result) => result.errors)];
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1)
    throw new Fault(`${errors.length} things would keep it from starting`, { parts: errors });
  return [
    ...(whole ? [...exposedPlaces(config), ...tooManyForMemory(config)] : []),
    ...together(results.flatMap((result) => result.warnings)),
  ];
}

async function inspect(
  pool: PoolConfig,
  allowRoot: boolean,
  asked: Map<string, Promise<Captured>>,
): Promise<Preflight> {
  const runtime = runtimeOf(pool);
  if (runtime === undefined) return { errors: [unknownRuntime(pool)], warnings: [] };
  const lacks = poolLacks(pool, process.geteuid!());
  const errors =
    lacks.length > 0
      ? lacks.map((lack) => lackFault(lack, `pool ${pool.name}`))
      : rootFaults(pool, allowRoot);
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

/** The supervisor's own log and control socket, which it needs before it comes to any pool. */
function supervisorFaults({ log, admin, pools }: Config): Fault[] {
  const logFault = log.file === null ? null : logFileFault(log.file);
  const ask = (setting: string, name: string | null, question: (name: string) => Lack | null) => {
    const lack = name === null ? null : question(name);
    return lack === null ? [] : [lackFault(lack, `[admin] ${setting}`)];
  };
  return [
    ...(logFault === null ? [] : [logFault]),
    ...ask("owner", admin.owner, userLack),
    ...ask("group", admin.group, groupLack),
    ...ask("readers", admin.readers, groupLack),
    ...ask("operators", admin.operators, groupLack),
    ...ask("read_only_group", admin.readOnlyGroup, groupLack),
    ...sameSocket(admin, pools),
  ];
}

function sameSocket({ socket, readOnlySocket }: Config["admin"], pools: Config["pools"]): Fault[] {
  const others = pools.flatMap(({ name, listen: { address } }) =>
    address.kind === "unix" ? [{ of: `pool ${name}`, path: address.path }] : [],
  );
  return [{ of: "[admin] socket", path: socket }, ...others].flatMap(({ of, path }) =>
    path !== readOnlySocket
      ? []
      : [
          new Fault(`${path} is the socket of ${of}, too`, {
            where: "[admin] read_only_socket",
            hint: "give each socket a path of its own",
          }),
        ],
  );
}

/** Folders in which others could put something else in the place of a file of ours. */
function exposedPlaces({ source, supervisor, admin, log, pools }: Config): Fault[] {
  const usual = source.format === "php-fpm-ini" ? usersOf(pools) : new Set<number>();
  const own = [
    ["state_dir", supervisor.stateDir],
    ["pid_file", supervisor.pidFile === null ? null : dirname(supervisor.pidFile)],
    ["[admin] socket", dirname(admin.socket)],
    ["[log] file", log.file === null ? null : dirname(log.file)],
  ] as const;
  const files = own.flatMap(([of, folder]) =>
    folder === null ? [] : [{ of, folder, sticky: of !== "state_dir" }],
  );
  const sockets = pools.flatMap(({ name, listen: { address, owner } }) =>
    address.kind !== "unix"
      ? []
      : // In a sticky folder only the owner of a file can replace it.
        [{ of: `pool ${name}, listen`, folder: dirname(address.path), sticky: owner === null }],
  );
  const faults = [...files, ...sockets].flatMap(({ of, folder, sticky }) => {
    const found = exposure(folder, sticky ? "anywhere" : "only on the way");
    const isUsual = of === "pid_file" || of.endsWith(", listen");
    if (found === null || (isUsual && found.uid !== null && usual.has(found.uid))) return [];
    return [
      new Fault(`others can replace what is in this folder: ${exposureText(found)}`, {
        where: `${of}: ${folder}`,
        hint: "give it, and the folders it is in, to root, with mode 0755; or choose another place, below /run for instance",
      }),
    ];
  });
  return [...new Map(faults.map((fault) => [String(fault.where), fault])).values()];
}

/** In php-fpm's world the web user has pid file and sockets in a folder of his: Debian's /run/php. */
function usersOf(pools: Config["pools"]): Set<number> {
  const names = pools.flatMap(({ user, listen: { owner } }) => [user, owner]);
  const ids = names.flatMap((name) => (name === null ? [] : [findUser(name)?.uid ?? 0]));
  return new Set(ids);
}

function rootFaults(pool: PoolConfig, allowRoot: boolean): Fault[] {
  const identity = identityOf(pool);
  const uid = identity?.uid ?? process.getuid!();
  const gid = identity?.gid ?? process.getgid!();
  if (allowRoot || !isRoot() || (uid !== 0 && gid !== 0)) return [];
  return [
    new Fault(`the workers would run as ${uid === 0 ? "root" : "the group root"}`, {
      where: `pool ${pool.name}`,
      hint: 'set `user` (and `group`) to somebody else, for example "www-data", or allow_root = true under [supervisor]',
    }),
  ];
}

function unknownRuntime(pool: PoolConfig): Fault {
  return new Fault(`there is no runtime "${pool.runtime}"`, {
    where: `pool ${pool.name}`,
    hint: `known are ${RUNTIMES.map(({ name }) => name).join(", ")}`,
  });
}
