// Which programs are a php-fpm, and where this machine keeps one. A link of that name that leads to
// fcgivisor itself is none.

import { existsSync, realpathSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import type { Environment } from "../default-places.ts";
import type { PoolConfig } from "../model.ts";

/** `php-fpm`, `php-fpm8.2`, `php-fpm84`; the version where the name tells it. */
const NAME = /^php-fpm-?(?:(\d)\.?(\d+))?$/;

/** Whether php-fpm runs the pool, as its runtime says, or else the name of its program. */
export function runsPhpFpm({ runtime, command }: Pick<PoolConfig, "runtime" | "command">): boolean {
  return runtime === null ? isPhpFpmName(command[0] ?? "") : runtime === "php-fpm";
}

/** Whether a program of this name or path is a php-fpm. */
export function isPhpFpmName(program: string): boolean {
  return NAME.test(basename(program));
}

/** "8.2" of php-fpm8.2 and php-fpm82; null where the name does not tell. */
export function phpFpmVersion(program: string): string | null {
  const [, major, minor] = NAME.exec(basename(program)) ?? [];
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
  const onPath = (env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(delimiter);
  const folders = [...onPath.filter((folder) => folder.startsWith("/")), ...SBIN];
  const paths = names.flatMap((name) =>
    name.includes("/") ? [name] : folders.map((folder) => join(folder, name)),
  );
  // dpkg-divert puts the original aside under this ending.
  const places = paths.flatMap((path) => [path, `${path}.distrib`]);
  return (
    places.find((path) => existsSync(path) && realpathSync(path) !== realpathSync(self)) ?? null
  );
}

/** Every name that distributions give it, the plain one and then the newest first. */
export const PHP_FPM_NAMES: readonly string[] = [
  "php-fpm",
  ...[9, 8, 7].flatMap((major) =>
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((minor) => `php-fpm${major}.${minor}`),
  ),
];
