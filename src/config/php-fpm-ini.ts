// Reads the php-fpm.conf of a php-fpm of today, with all it includes, into a draft.

import { basename, dirname, join, resolve } from "node:path";
import type { Environment } from "./default-places.ts";
import type { Draft, Entry, PoolDraft } from "./draft.ts";
import { readIniFiles, type IniReading, type IniSection } from "./ini-files.ts";
import { phpFor, type PhpOfFpm } from "./ini-php.ts";
import { iniPoolEntries } from "./ini-pool.ts";
import { iniEntries, iniEntry, iniValues, lastScalar, type IniValues } from "./ini-section.ts";
import type { Problems } from "./problems.ts";
import { uniqueNames } from "./unique-names.ts";

export interface IniOptions {
  /** As of -p: what relative paths are relative to. */
  readonly prefix?: string;
  readonly env: Environment;
}

/** All that is wrong goes to `problems`. */
export async function readPhpFpmIni(
  file: string,
  bytes: Uint8Array,
  options: IniOptions,
  problems: Problems,
): Promise<Draft> {
  const prefix = prefixOf(file, options.prefix);
  const reading: IniReading = { problems, env: options.env, prefix };
  const { files, sections } = await readIniFiles(reading, file, bytes);
  const [global, ...pools] = sections;
  const values = iniValues(reading, global!);
  const base = options.prefix === undefined ? stateFolder(prefix) : prefix;
  const supervisor = iniEntries(values, "supervisor", base);
  checkGrace(reading, values, global!);
  return {
    source: { format: "php-fpm-ini", file, files, prefix },
    supervisor: [...supervisor, ...besidePidFile(supervisor, "state_dir", ".state")],
    admin: besidePidFile(supervisor, "socket", ".admin.sock"),
    log: logEntries(reading, values, base),
    pools: poolsOf(reading, pools, values, phpFor(file, prefix, options.env)),
    daemonize: daemonizeOf(values),
  };
}

/** The --prefix that php-fpm was built with, as far as the place of its config tells. */
function prefixOf(file: string, given: string | undefined): string {
  if (given !== undefined) return resolve(given);
  const folder = dirname(file);
  if (file.startsWith("/etc/")) return "/usr";
  return basename(folder) === "etc" ? dirname(folder) : folder;
}

/** PHP's --localstatedir, which pid and error_log are relative to. */
function stateFolder(prefix: string): string {
  return prefix === "/usr" ? "/var" : join(prefix, "var");
}

// An INI file cannot name them. Not .sock as for a legacy file: Debian's pid file is
// /run/php/php8.2-fpm.pid, and its pool listens on /run/php/php8.2-fpm.sock.
function besidePidFile(supervisor: readonly Entry[], name: string, ending: string): Entry[] {
  const pid = supervisor.findLast((entry) => entry.name === "pid_file" && entry.replaced !== true);
  if (pid === undefined || typeof pid.raw !== "string") return [];
  const raw = pid.raw.replace(/\.pid$/, "") + ending;
  return [{ name, label: name, raw, where: pid.where, base: pid.base }];
}

/** What containers' configs call it. */
const STDERR = /^\/(dev\/stderr|dev\/fd\/2|proc\/self\/fd\/2)$/;
const LEVELS = new Map([["warning", "warn"]]);

function logEntries({ problems }: IniReading, values: IniValues, base: string): Entry[] {
  const entries = iniEntries(values, "log", base).map((entry) => {
    if (typeof entry.raw !== "string") return entry;
    if (entry.name === "level") {
      const level = entry.raw.toLowerCase();
      return { ...entry, raw: LEVELS.get(level) ?? level };
    }
    if (entry.raw === "syslog") {
      const hint = "under systemd stderr goes to the journal; or name a file";
      problems.warn(`${entry.label} = syslog: the log goes to stderr instead`, entry.where, hint);
      return { ...entry, raw: "stderr" };
    }
    return { ...entry, raw: STDERR.test(entry.raw) ? "stderr" : resolve(base, entry.raw) };
  });
  if (entries.some(({ name, replaced }) => name === "file" && replaced !== true)) return entries;
  const file = { name: "file", label: "error_log", raw: "log/php-fpm.log" };
  return [...entries, { ...file, where: "default", base }];
}

// php-fpm's own default is 0, and its users' commonest surprise: a reload cuts requests in hand.
function checkGrace({ problems }: IniReading, values: IniValues, global: IniSection): void {
  if (lastScalar(values, "process_control_timeout") !== undefined) return;
  problems.warn(
    "process_control_timeout is not set: php-fpm cuts requests in hand at a reload, here they have 30 seconds",
    global.where,
    "say how long they may take, for example: process_control_timeout = 30s",
  );
}

function daemonizeOf(values: IniValues): boolean {
  const scalar = lastScalar(values, "daemonize");
  return scalar === undefined || iniEntry(scalar, "/", false).raw === true;
}

function poolsOf(
  reading: IniReading,
  sections: readonly IniSection[],
  global: IniValues,
  php: PhpOfFpm,
): PoolDraft[] {
  const wanted = sections.map(({ name, where }) => ({ name: name ?? "", where }));
  const names = uniqueNames(wanted, reading.problems);
  const shared = [...program(reading, php), ...forEveryPool(reading, global)];
  return sections.map((section, i) => {
    const name = names[i]!;
    const entries = iniPoolEntries({ reading, php, shared }, section, name);
    return { name, where: section.where, entries };
  });
}

function program({ prefix }: IniReading, { command, ini }: PhpOfFpm): Entry[] {
  const made = (name: string, raw: unknown): Entry => ({
    name,
    label: name,
    raw,
    where: "default",
    base: prefix,
  });
  const entries = [made("command", [command]), made("runtime", "php-cgi")];
  return ini === null ? entries : [...entries, made("php.ini", ini)];
}

/** Workers inherit these from php-fpm's master where their pool does not say otherwise. */
const INHERITED = new Map([
  ["process.priority", "nice"],
  ["rlimit_files", "rlimit_files"],
  ["rlimit_core", "rlimit_core"],
]);

function forEveryPool({ problems, prefix }: IniReading, global: IniValues): Entry[] {
  const own = iniEntries(global, "pool", prefix);
  const inherited = [...INHERITED].flatMap(([written, name]) => {
    const scalar = lastScalar(global, written);
    if (scalar === undefined || scalar.value === "") return [];
    const entry = { ...iniEntry(scalar, prefix, false), name };
    if (entry.raw !== 0 || name === "nice") return [entry];
    problems.warn(`${entry.label} = 0 leaves the limit alone, as in php-fpm`, entry.where);
    return [];
  });
  return [...own, ...inherited];
}
