// PHP of the releases that the tests know: Debian's own of this machine, and those of the release before and
// the one after, unpacked beside it.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { OtherSuite } from "./other-suite.ts";
import { findProgram, otherSuiteOf, phpFpmProgram } from "./packages.ts";

export const PHP_VERSIONS = ["7.4", "8.2", "8.4"] as const;
export type PhpVersion = (typeof PHP_VERSIONS)[number];

export interface Php {
  readonly version: PhpVersion;
  /** Absolute paths. */
  readonly cgi: string;
  readonly fpm: string;
  /** What `zend_extension=` is to be to have OPcache, with a php.ini of a test's own or none (-n). */
  readonly opcache: string;
}

/** The programs of a version; a text, which says what is lacking, when they are not there. */
export function phpOf(version: PhpVersion): Php | string {
  const php = version === "8.2" ? installed() : unpacked(version);
  const lacking = [php.cgi, php.fpm].find((file) => file === null || !existsSync(file));
  if (lacking === undefined) return php as Php;
  return `PHP ${version} is not there: \`bun run test\` as root on a Debian unpacks it`;
}

type Found = Omit<Php, "cgi" | "fpm"> & {
  readonly cgi: string | null;
  readonly fpm: string | null;
};

function installed(): Found {
  return {
    version: "8.2",
    cgi: findProgram("php-cgi8.2"),
    fpm: phpFpmProgram(),
    opcache: "opcache",
  };
}

/** Of the folder of its extensions, by the version of PHP's module interface. */
const EXTENSIONS = { "7.4": "20190902", "8.4": "20240924" } as const;

function unpacked(version: "7.4" | "8.4"): Found {
  const { folder }: OtherSuite = otherSuiteOf(`php${version}`)!;
  return {
    version,
    cgi: join(folder, `usr/bin/php-cgi${version}`),
    fpm: join(folder, `usr/sbin/php-fpm${version}`),
    opcache: join(folder, `usr/lib/php/${EXTENSIONS[version]}/opcache.so`),
  };
}
