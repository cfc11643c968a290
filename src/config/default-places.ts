// Where things are when nobody says so: the config file, and the folder of socket and state.

import { join } from "node:path";
import { statusIfAny } from "../sys/file.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** /run/fcgivisor for root, else $XDG_RUNTIME_DIR/fcgivisor, else /tmp/fcgivisor-UID. */
export function defaultStateDir(env: Environment, uid: number): string {
  if (uid === 0) return "/run/fcgivisor";
  const runtime = env["XDG_RUNTIME_DIR"];
  return runtime?.startsWith("/") ? join(runtime, "fcgivisor") : `/tmp/fcgivisor-${uid}`;
}

const SYSTEM_CONFIG = "/etc/fcgivisor/fcgivisor.toml";

/**
 * The config file to read: the given one, $FCGIVISOR_CONFIG, the system's where it exists, then the
 * old place below `calledAsPhpFpm` (the PREFIX when called as php-fpm). Null: there is none.
 */
export function configPath(options: {
  readonly given: string | undefined;
  readonly env: Environment;
  readonly calledAsPhpFpm: string | null;
}): string | null {
  if (options.given !== undefined) return options.given;
  const named = options.env["FCGIVISOR_CONFIG"];
  if (named) return named;
  if (statusIfAny(SYSTEM_CONFIG) !== null) return SYSTEM_CONFIG;
  return options.calledAsPhpFpm === null ? null : join(options.calledAsPhpFpm, "etc/php-fpm.conf");
}
