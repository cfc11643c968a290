// Which PHP serves a php-fpm config: the php-fpm or php-cgi of its installation, and the php.ini that
// belongs to it. Debian keeps a php.ini for each kind of PHP: /etc/php/8.2/fpm/php.ini with its modules in
// conf.d beside it. php-fpm knows its own; `php-cgi -c` takes that php.ini, but looks for modules in its
// own folder all the same; PHP_INI_SCAN_DIR moves that too (tried on 8.2).

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Environment } from "../default-places.ts";
import { phpCgiIn } from "../php-fpm/implied.ts";
import { findOnPath, findPhpFpm, isPhpFpmName, PHP_FPM_NAMES } from "../php-fpm/program.ts";

export interface PhpOfFpm {
  readonly runtime: "php-fpm" | "php-cgi";
  readonly command: string;
  /** Null: PHP's own place. */
  readonly ini: string | null;
  /** Folder of the modules' files; null: PHP's own. */
  readonly scanDir: string | null;
}

/** `file`: the main config file. `wanted`: as of --php, a name or path; it need not be there. */
export function phpFor(
  file: string,
  prefix: string,
  env: Environment,
  wanted: string | undefined,
): PhpOfFpm {
  const fpm = wanted === undefined ? ownPhpFpm(file, prefix, env) : wantedPhpFpm(wanted, env);
  if (fpm !== null) return { runtime: "php-fpm", command: fpm, ini: null, scanDir: null };
  const command = wanted ?? phpCgiFor(file, prefix, env);
  const php = { runtime: "php-cgi", command, ini: null, scanDir: null } as const;
  const folder = dirname(file);
  const ini = join(folder, "php.ini");
  if (!existsSync(ini)) return php;
  const scanDir = join(folder, "conf.d");
  return { ...php, ini, scanDir: existsSync(scanDir) ? scanDir : null };
}

function wantedPhpFpm(wanted: string, env: Environment): string | null {
  return isPhpFpmName(wanted) ? (findPhpFpm([wanted], env) ?? wanted) : null;
}

/** The php-fpm that the config is for: of its version, of its installation, or the one there is. */
function ownPhpFpm(file: string, prefix: string, env: Environment): string | null {
  const version = versionOf(file);
  if (version !== undefined) return findPhpFpm([`php-fpm${version}`], env);
  const built = prefix === "/usr" ? [] : [join(prefix, "sbin/php-fpm")];
  return findPhpFpm([...built, ...PHP_FPM_NAMES], env);
}

function phpCgiFor(file: string, prefix: string, env: Environment): string {
  const version = versionOf(file);
  if (version !== undefined && findOnPath(`php-cgi${version}`, env) !== null)
    return `php-cgi${version}`;
  return prefix === "/usr" ? "php-cgi" : phpCgiIn(prefix);
}

/** As Debian's folders tell it. */
function versionOf(file: string): string | undefined {
  return /\/php\/(\d+\.\d+)\//.exec(file)?.[1];
}
