// Which config is read by who is called php-fpm.

import { existsSync } from "node:fs";
import { basename, join } from "node:path";

/**
 * PREFIX/etc/php-fpm.conf as ever, /etc/php-fpm.conf where only that exists; Debian's php-fpm8.2 has
 * /etc/php/8.2/fpm/php-fpm.conf.
 */
export function phpFpmConfig(called: string, prefix: string): string {
  const version = /^php-fpm(\d+\.\d+)$/.exec(basename(called))?.[1];
  const own = version === undefined ? [] : [`/etc/php/${version}/fpm/php-fpm.conf`];
  const places = [...own, join(prefix, "etc/php-fpm.conf"), "/etc/php-fpm.conf"];
  return places.find((path) => existsSync(path)) ?? places[0]!;
}
