// php-cgi. With PHP_FCGI_CHILDREN it is a leader that forks workers which share one OPcache; TERM
// lets a worker finish the request in flight (the reverse of a php-fpm worker, where QUIT does).

import { readdirSync } from "node:fs";
import type { PoolConfig } from "../config/model.ts";
import { isPhpCgiName } from "../config/php-fpm/program.ts";
import { Fault } from "../fault.ts";
import { phpRequestOf } from "../observe/php-request.ts";
import { errorSettings, iniFiles, syntaxFaults } from "./php-ini.ts";
import type { Ask, Preflight, Runtime } from "./runtime.ts";

export const phpCgi: Runtime = {
  name: "php-cgi",
  matches: isPhpCgiName,
  sharesOurName: false,
  forks: "several",
  socketFd: 0,
  confinesWorkers: false,
  args: (pool) => [
    ...(pool.php.ini === null ? [] : ["-c", pool.php.ini]),
    ...settingsOf(pool).flatMap((setting) => ["-d", settingLine(setting)]),
  ],
  // What stands behind a section belongs to it.
  lastArgs: adminArguments,
  argumentVariables: (pool) =>
    Object.fromEntries(settingsOf(pool).map(({ variable, value }) => [variable, value])),
  env: (_pool, { size, maxRequests }) => ({
    ...(size > 1 ? { PHP_FCGI_CHILDREN: String(size) } : {}),
    // Unset would mean 500; 0 is endless.
    PHP_FCGI_MAX_REQUESTS: String(maxRequests),
  }),
  forbiddenEnv: ["PHP_FCGI_CHILDREN", "PHP_FCGI_MAX_REQUESTS"],
  stopSignal: "SIGTERM",
  stopSignalWhileBusy: "finishes-request",
  recyclesItself: true,
  leaderReads: false,
  workersHaveSockets: false,
  reopenSignal: () => null,
  endsLongRequests: () => false,
  requestOf: phpRequestOf,
  preflight,
  settingsFiles: async (pool, run) => iniFiles(pool, (await run(["-q", "-i"])).output),
};

interface PhpSetting {
  readonly name: string;
  readonly value: string;
  /** Carries the value, which may be a password (session.save_path): everybody may read arguments. */
  readonly variable: string;
}

/** What the pool says of php.ini's settings; the admin ones last, so that they win. */
function settingsOf(pool: PoolConfig): PhpSetting[] {
  const { defines, admin } = pool.php;
  return [...errorSettings(pool), ...defines, ...admin].map(([name, value], i) => ({
    name,
    value,
    variable: `FCGIVISOR_PHP_${i}`,
  }));
}

/** PHP adds nothing here by itself, php-fpm does: what php.ini disables stays disabled. */
const ADDED = ["disable_functions", "disable_classes"];

/**
 * A line of INI. PHP puts the value of a variable in the place of `${NAME}`, as it is, and for the name
 * of a setting what it has been given so far (Zend/zend_ini_parser.y, zend_ini_get_var).
 */
function settingLine({ name, variable }: PhpSetting): string {
  return ADDED.includes(name)
    ? `${name}="\${${name}},\${${variable}}"`
    : `${name}="\${${variable}}"`;
}

/**
 * The admin settings once more, in a section for each folder that scripts can be below: PHP lets nobody
 * change what stands there. `[PATH=/]` matches nothing, so it is one for each folder in the root (tried on
 * 8.2). -d takes several lines where they begin with a plain setting.
 */
function adminArguments(pool: PoolConfig): string[] {
  const settings = settingsOf(pool);
  const admin = settings
    .slice(settings.length - pool.php.admin.size)
    .filter(({ name }) => !ADDED.includes(name));
  if (admin.length === 0) return [];
  const lines = admin.map(settingLine).join("\n");
  return foldersIn(pool.chroot ?? "/").flatMap((folder) => [
    "-d",
    `fcgivisor.admin=1\n[PATH=/${folder}]\n${lines}`,
  ]);
}

function foldersIn(root: string): string[] {
  try {
    return readdirSync(root).filter((name) => /^[\w.+@-]+$/.test(name));
  } catch {
    return []; // Nothing can be started there, which is told when it is tried.
  }
}

/** `php-cgi -v` with the same ini: PHP itself goes on with half the settings when php.ini is broken, and exits 0. */
async function preflight(pool: PoolConfig, run: Ask): Promise<Preflight> {
  const said = await run(["-v"]);
  const where = `pool ${pool.name}`;
  const lines = said.output.split("\n").map((line) => line.replace(/<[^>]*>/g, "").trim());
  const startup = lines.filter((line) => /^(PHP )?Warning:/.test(line));
  const errors = syntaxFaults(pool, lines);
  if (said.failure !== null) {
    const hint = lines.filter(Boolean).slice(-3).join("; ") || "run it by hand to see why";
    errors.push(new Fault(`\`php-cgi -v\` ${said.failure}`, { where, hint }));
  }
  const unique = new Set(startup.map((line) => line.replace(/^PHP /, "")));
  const warnings = [...unique].map((line) => new Fault(`PHP says: ${line}`, { where }));
  return { errors, warnings };
}
