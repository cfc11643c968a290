// Which programs are a php-fpm, and where this machine keeps one. A link of that name that leads to
// fcgivisor itself is none.

import { existsSync, realpathSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import type { Environment } from "../default-places.ts";
import type { PoolConfig } from "../model.ts";

/** `php-fpm`, `php-fpm8.2`, `php-fpm84`, `php8.2-fpm`, with the digits of the version. */
const NAME = /^php-?fpm([0-9.]*)$|^php([0-9.]*)-fpm[0-9.]*$/;

/** Whether php-fpm runs the pool, as its runtime says, or else the name of its program. */
export function runsPhpFpm({ runtime, command }: Pick<PoolConfig, "runtime" | "command">): boolean {
  return runtime === null ? isPhpFpmName(command[0] ?? "") : runtime === "php-fpm";
}

/** Whether a program of this name or path is a php-fpm. */
export function isPhpFpmName(program: string): boolean {
  return NAME.test(basename(program));
}

/** Whether a program of this name or path is a php-cgi. */
export function isPhpCgiName(program: string): boolean {
  return /^php-?cgi[0-9.]*$|^php[0-9.]*-cgi$/.test(basename(program));
}

/** "8.2" of php-fpm8.2 and php-fpm82; null where the name does not tell. */
export function phpFpmVersion(program: string): string | null {
  const [, behind, inside] = NAME.exec(basename(program)) ?? [];
  const [, major, minor] = /^(\d)\.?(\d+)$/.exec(behind || inside || "") ?? [];
  return major === undefined ? null : `${major}.${minor}`;
}

/** Debian and others keep php-fpm where only root's PATH leads. */
const SBIN = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The first of these names or paths that is there and no link to fcgivisor itself, as a path; null: none is. */
export function findPhpFpm(
  names: readonly string[],
  env: Environment,
  self = process.execPath,
): string | null {
  const folders = [...foldersOf(env), ...SBIN];
  const paths = names.flatMap((name) =>
    name.includes("/") ? [name] : folders.map((folder) => join(folder, name)),
  );
  // dpkg-divert puts the original aside under this ending.
  const places = paths.flatMap((path) => [path, `${path}.distrib`]);
  return (
    places.find((path) => existsSync(path) && realpathSync(path) !== realpathSync(self)) ?? null
  );
}

/** The program of this name or path, as a path; null: it is not there. */
export function findOnPath(program: string, env: Environment): string | null {
  if (program.includes("/")) return existsSync(program) ? program : null;
  return (
    foldersOf(env)
      .map((folder) => join(folder, program))
      .find(existsSync) ?? null
  );
}

function foldersOf(env: Environment): string[] {
  const folders = (env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(delimiter);
  return folders.filter((folder) => folder.startsWith("/"));
}

/** Every name that distributions give it, the plain one and then the newest first. */
export const PHP_FPM_NAMES: readonly string[] = [
  "php-fpm",
  ...[9, 8, 7].flatMap((major) =>
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((minor) => `php-fpm${major}.${minor}`),
  ),
];
