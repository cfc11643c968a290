// Entries that no file of php-fpm's says, old or new: what php-fpm does by itself, and what only
// fcgivisor needs to know.

import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Entry } from "../draft.ts";
import { exposure } from "../../sys/trust.ts";
import type { Where } from "../problems.ts";

/** Stands as the place of what no file says. */
const BY_DEFAULT = "default";

/** An entry that does not stand in the file as such; `where` is what it comes from. */
export function impliedEntry(
  name: string,
  raw: unknown,
  base: string,
  where: Where = BY_DEFAULT,
  label = name,
): Entry {
  return { name, label, raw, where, base };
}

/**
 * A path beside the pid file, with another ending: neither format can name one, and several
 * supervisors must be able to run side by side.
 */
export function besidePidFile(supervisor: readonly Entry[], name: string, ending: string): Entry[] {
  const pid = supervisor.findLast((entry) => entry.name === "pid_file" && !entry.replaced);
  if (pid === undefined || typeof pid.raw !== "string" || pid.raw !== pid.raw.trim()) return [];
  return [impliedEntry(name, pid.raw.replace(/\.pid$/, "") + ending, pid.base, pid.where)];
}

/** Where what stands beside the pid file goes instead when root starts it and others may write there. */
const ROOTS_OWN = "/run/fcgivisor";

/**
 * The same, but not into a folder where others than root could put something else in its place: Debian's
 * /run/php is the web user's.
 */
export function besidePidFileOfRoot(
  supervisor: readonly Entry[],
  name: string,
  ending: string,
): Entry[] {
  return besidePidFile(supervisor, name, ending).map((entry) => {
    const path = resolve(entry.base, String(entry.raw));
    const isSafe = process.geteuid!() !== 0 || exposure(dirname(path), "only on the way") === null;
    return isSafe ? entry : { ...entry, raw: join(ROOTS_OWN, basename(path)) };
  });
}

/** After a chroot without a chdir php-fpm goes to the new root. */
export function chdirAfterChroot(
  written: { readonly chroot: string | undefined; readonly chdir: string | undefined },
  base: string,
): Entry[] {
  return written.chroot && !written.chdir ? [impliedEntry("chdir", "/", base)] : [];
}

/** The program that php-fpm itself was: both formats are about PHP only. */
export function phpProgram(command: string, runtime: "php-fpm" | "php-cgi", base: string): Entry[] {
  return [impliedEntry("command", [command], base), impliedEntry("runtime", runtime, base)];
}

/** The php-cgi that is installed in this prefix, or whichever is found in PATH. */
export function phpCgiIn(prefix: string): string {
  const own = join(prefix, "bin/php-cgi");
  return existsSync(own) ? own : "php-cgi";
}

/**
 * The folder that relative paths are relative to, as far as the place of the config file tells: the
 * prefix that PHP was built with. `system` is the prefix of a PHP whose config stands there, if it does.
 */
export function installPrefix(
  file: string,
  given: string | undefined,
  system: string | null,
): string {
  if (given !== undefined) return resolve(given);
  if (system !== null) return system;
  const folder = dirname(file);
  return basename(folder) === "etc" ? dirname(folder) : folder;
}
