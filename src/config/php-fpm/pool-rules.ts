// What php-fpm, old and new, does with the settings of a pool beside reading them. The formats say it
// in words of their own, which they hand in.

import type { Entry } from "../draft.ts";
import type { Problems, Where } from "../problems.ts";
import { referencedName } from "../settings/special-values.ts";

/** How one format says these things. */
export interface PoolWording {
  /** A variable of the workers' environment. */
  variable(name: string): string;
  /** What says what PHP_FCGI_CHILDREN and PHP_FCGI_MAX_REQUESTS would; null: they mean nothing to the program. */
  readonly countSettings: string | null;
  /** How a variable is written that stands for another one. */
  readonly references: string;
  /** A limit of 0; null: nothing is said. */
  zeroLimit(label: string): string | null;
  /** What else there is to know about a limit of 0. */
  zeroLimitHint(name: string): string | undefined;
  /** What to do where a slow log is asked for without a file. */
  readonly slowlogHint: string;
}

/** Where things are said, and in which words. */
export interface PoolReport {
  readonly problems: Problems;
  readonly wording: PoolWording;
}

export interface Variable {
  readonly name: string;
  readonly value: string;
  readonly where: Where;
}

/** The environment of the workers, without what would make the program fork by itself. */
export function environmentOf(
  variables: readonly Variable[],
  report: PoolReport,
): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const variable of variables)
    if (!isDropped(variable, report)) pairs.set(variable.name, valueOf(variable, report));
  return pairs;
}

function isDropped({ name, where }: Variable, { problems, wording }: PoolReport): boolean {
  if (!name.startsWith("PHP_FCGI_") || wording.countSettings === null) return false;
  problems.warn(
    `${wording.variable(name)} is dropped: php-fpm ignored it, but php-cgi would obey it`,
    where,
    `${wording.countSettings} say the same`,
  );
  return true;
}

// `$` counted as the first character only, and all behind it was the variable's name.
function valueOf({ name, value, where }: Variable, { problems, wording }: PoolReport): string {
  if (!value.startsWith("$") || referencedName(value) !== null) return value;
  problems.warn(
    `${wording.variable(name)} is empty: "${value}" asks for a variable named "${value.slice(1)}"`,
    where,
    `only a value that is $NAME as a whole stands for a variable${wording.references}`,
  );
  return "";
}

/** Whether a listening address, as it is written, is the path of a Unix socket. */
export function isUnix(address: string): boolean {
  return address !== "" && !address.includes(":") && !/^\d+$/.test(address);
}

const UNIX_ONLY = ["owner", "group", "mode", "acl_users", "acl_groups"].map(
  (name) => `listen.${name}`,
);

/** Whether the setting means nothing for a pool with this kind of address. */
export function meansNothing(setting: string | undefined, unix: boolean): boolean {
  if (setting === undefined) return false;
  return unix ? setting === "allowed_clients" : UNIX_ONLY.includes(setting);
}

const LIMITS = ["rlimit_core", "rlimit_files"];

/** Whether it is a limit of 0, which php-fpm takes as none; says so. */
export function isZeroLimit(entry: Entry, { problems, wording }: PoolReport): boolean {
  if (entry.raw !== 0 || !LIMITS.includes(entry.name)) return false;
  const what = wording.zeroLimit(entry.label);
  if (what !== null) problems.warn(what, entry.where, wording.zeroLimitHint(entry.name));
  return true;
}

/** Whether there is a file for the slow log that `timeout` asks for; says when there is none. */
export function hasSlowlog(
  pool: string,
  timeout: Where,
  file: unknown,
  { problems, wording }: PoolReport,
): boolean {
  if (file !== undefined) return true;
  const what = `pool ${pool}: request_slowlog_timeout needs slowlog`;
  problems.error(what, timeout, wording.slowlogHint);
  return false;
}
