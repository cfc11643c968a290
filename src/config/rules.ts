// The rules that span more than one setting.

import { addressText } from "../sys/socket/address.ts";
import type { ConfigFormat } from "./model.ts";
import { checkFpmDirectives } from "./rules/fpm-directives.ts";
import { checkMachine } from "./rules/machine.ts";
import { originText, type Problems } from "./problems.ts";
import type { ReadPool } from "./rules/read-pool.ts";
import { referencedName } from "./settings/special-values.ts";
import { TakenAddresses } from "./rules/taken.ts";

export interface RuleContext {
  readonly allowRoot: boolean;
  /** Null: nobody is going to run it. */
  readonly uid: number | null;
  readonly format: ConfigFormat;
}

export function checkPools(
  pools: readonly ReadPool[],
  context: RuleContext,
  problems: Problems,
): void {
  for (const pool of pools) {
    checkName(pool, problems);
    checkUser(pool, context, problems);
    checkCounts(pool, problems);
    checkListen(pool, problems);
    checkHealth(pool, problems);
    checkEnvironment(pool, problems);
    checkPhpErrorLog(pool, problems);
    checkFpmDirectives(pool, problems);
  }
  checkAddresses(pools, problems);
  if (context.uid !== null) checkMachine(pools, context.uid, problems);
}

function sound(pool: ReadPool, ...settings: readonly string[]): boolean {
  return settings.every((setting) => !pool.failed.has(setting));
}

function checkName({ config, place }: ReadPool, problems: Problems): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(config.name)) return;
  problems.error(
    `${JSON.stringify(config.name)} cannot be the name of a pool`,
    place(""),
    "use up to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit",
  );
}

function checkUser(pool: ReadPool, context: RuleContext, problems: Problems): void {
  const { allowRoot, uid, format } = context;
  if (!sound(pool, "user")) return;
  const { name, user } = pool.config;
  if (uid === 0 && !allowRoot && (user === null || user === "root" || /^0+$/.test(user))) {
    const hint = USER_HINTS[format];
    problems.error(`pool ${name}: its workers would run as root`, pool.place("user"), hint);
  }
  if (uid === 0 || uid === null) return;
  for (const [setting, isSet] of [
    ["private_tmp", pool.config.privateTmp],
    ["read_only", pool.config.readOnly],
  ] as const) {
    const what = `pool ${name}: "${setting}" is ignored, because only root can mount`;
    if (isSet) problems.warn(what, pool.place(setting));
  }
  for (const setting of ["user", "group"] as const) {
    if (pool.config[setting] === null) continue;
    const what = `pool ${name}: "${setting}" is ignored, because only root can change it`;
    problems.warn(what, pool.place(setting));
  }
}

const USER_HINTS: Readonly<Record<ConfigFormat, string>> = {
  toml: 'set user = "www-data", or allow_root = true under [supervisor]',
  "legacy-xml": 'for example: <value name="user">www-data</value>',
  "php-fpm-ini": "for example: user = www-data",
  "command-line": "say which user it should be, for example --user www-data",
};

function checkCounts(pool: ReadPool, problems: Problems): void {
  const { name, workers, groupSize, scaling } = pool.config;
  if (sound(pool, "workers", "group_size") && groupSize !== null && workers % groupSize !== 0) {
    problems.error(
      `pool ${name}: ${workers} workers cannot be made of groups of ${groupSize}`,
      pool.place("group_size"),
      `set workers to a multiple of group_size, for example ${Math.ceil(workers / groupSize) * groupSize}`,
    );
  }
  if (scaling === "dynamic") checkSpares(pool, problems);
  if (scaling !== "static" && sound(pool, "scaling", "workers")) {
    problems.warn(
      `pool ${name}: scaling = "${scaling}" is read but not acted on yet: the pool runs ${workers} workers at all times`,
      pool.place("scaling"),
    );
  }
}

function checkSpares(pool: ReadPool, problems: Problems): void {
  const { name, minSpare, maxSpare, startWorkers, workers } = pool.config;
  if (!sound(pool, "min_spare", "max_spare", "start_workers", "workers")) return;
  const wrong = (setting: string, what: string) =>
    problems.error(
      `pool ${name}: ${what}`,
      pool.place(setting),
      "min_spare <= max_spare <= workers must hold, and start_workers <= workers",
    );
  if (minSpare !== null && maxSpare !== null && minSpare > maxSpare)
    wrong("min_spare", `min_spare (${minSpare}) is more than max_spare (${maxSpare})`);
  if (maxSpare !== null && maxSpare > workers)
    wrong("max_spare", `max_spare (${maxSpare}) is more than workers (${workers})`);
  else if (minSpare !== null && minSpare > workers)
    wrong("min_spare", `min_spare (${minSpare}) is more than workers (${workers})`);
  if (startWorkers !== null && startWorkers > workers)
    wrong("start_workers", `start_workers (${startWorkers}) is more than workers (${workers})`);
}

function checkListen(pool: ReadPool, problems: Problems): void {
  if (!sound(pool, "listen.address")) return;
  const { name, listen } = pool.config;
  const address = addressText(listen.address);
  // What kind of socket it is shows only when systemd hands it over.
  if (listen.address.kind === "systemd") return;
  if (listen.address.kind === "unix") {
    if (pool.config.allowedClients.length === 0) return;
    problems.error(
      `pool ${name}: allowed_clients means nothing for the Unix socket ${address}`,
      pool.place("allowed_clients"),
      "remove it, and let listen.owner, listen.group and listen.mode say who may connect",
    );
    return;
  }
  const given = {
    owner: listen.owner !== null,
    group: listen.group !== null,
    mode: listen.mode !== null,
    acl_users: listen.aclUsers.length > 0,
    acl_groups: listen.aclGroups.length > 0,
  };
  for (const setting of Object.keys(given) as (keyof typeof given)[]) {
    if (!given[setting]) continue;
    problems.error(
      `pool ${name}: listen.${setting} means nothing for the TCP address ${address}`,
      pool.place(`listen.${setting}`),
      "remove it; allowed_clients says who may connect",
    );
  }
}

function checkHealth(pool: ReadPool, problems: Problems): void {
  if (pool.config.health !== null || !sound(pool, "health.script", "health.path")) return;
  const given = ["expect", "status", "timeout"].find((name) => pool.given(`health.${name}`));
  if (given === undefined) return;
  problems.error(
    `pool ${pool.config.name}: health.${given} without health.script or health.path`,
    pool.place(`health.${given}`),
    'name the script to ask for: health = { script = "/srv/www/ping.php" }',
  );
}

function checkEnvironment(pool: ReadPool, problems: Problems): void {
  if (!sound(pool, "env")) return;
  for (const [name, value] of pool.config.env) {
    if (!value.startsWith("$") || value === "$" || referencedName(value) !== null) continue;
    problems.warn(
      `pool ${pool.config.name}: env ${name} = ${JSON.stringify(value)} is passed on as written`,
      pool.place("env"),
      "only a value that is $NAME as a whole is taken from the supervisor's environment",
    );
  }
}

const STDERR = /^(\/dev\/stderr|(\/dev|\/proc\/self)\/fd\/[12]|\/dev\/stdout)$/;

/** PHP opens the path, and a worker's stderr cannot be opened by one: it is a socket to the supervisor. */
function checkPhpErrorLog(pool: ReadPool, problems: Problems): void {
  for (const setting of ["defines", "admin"] as const) {
    const file = sound(pool, `php.${setting}`)
      ? pool.config.php[setting].get("error_log")
      : undefined;
    if (file === undefined || !STDERR.test(file)) continue;
    problems.warn(
      `pool ${pool.config.name}: PHP cannot open error_log = ${file} here: its errors go to the web server instead, as without error_log (nginx writes them into its own error_log)`,
      pool.place(`php.${setting}`),
      "leave error_log out if that is meant, or name a file that the pool's user can write",
    );
  }
}

function checkAddresses(pools: readonly ReadPool[], problems: Problems): void {
  const taken = new TakenAddresses<ReadPool>();
  for (const pool of pools.filter((p) => sound(p, "listen.address"))) {
    const other = taken.take(pool.config.listen.address, pool);
    if (other === undefined) continue;
    const text = addressText(other.config.listen.address);
    problems.error(
      `pool ${pool.config.name}: pool ${other.config.name} listens on ${text} already (${originText(other.place("listen.address"))})`,
      pool.place("listen.address"),
      "give each pool an address of its own",
    );
  }
}
