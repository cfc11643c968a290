// Which php-cgi and which php.ini belong to a php-fpm config. Debian keeps a php.ini for each kind of
// PHP: /etc/php/8.2/fpm/php.ini with its modules in conf.d beside it. `php-cgi -c` takes that php.ini,
// but looks for modules in its own folder all the same; PHP_INI_SCAN_DIR moves that too (tried on 8.2).

import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { Environment } from "../default-places.ts";
import { phpCgiIn } from "../php-fpm/implied.ts";

export interface PhpOfFpm {
  readonly command: string;
  /** Null: PHP's own place. */
  readonly ini: string | null;
  /** Folder of the modules' files; null: PHP's own. */
  readonly scanDir: string | null;
}

/** `file`: the main config file. */
export function phpFor(file: string, prefix: string, env: Environment): PhpOfFpm {
  const folder = dirname(file);
  const ini = join(folder, "php.ini");
  if (!existsSync(ini)) return { command: commandFor(file, prefix, env), ini: null, scanDir: null };
  const scanDir = join(folder, "conf.d");
  return {
    command: commandFor(file, prefix, env),
    ini,
    scanDir: existsSync(scanDir) ? scanDir : null,
  };
}

function commandFor(file: string, prefix: string, env: Environment): string {
  const version = /\/php\/(\d+\.\d+)\//.exec(file)?.[1];
  if (version !== undefined && onPath(`php-cgi${version}`, env)) return `php-cgi${version}`;
  return prefix === "/usr" ? "php-cgi" : phpCgiIn(prefix);
}

function onPath(name: string, env: Environment): boolean {
  const folders = (env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(delimiter);
  return folders.some((folder) => folder.startsWith("/") && existsSync(join(folder, name)));
}
