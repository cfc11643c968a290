// The commands that `migrate` prints: how the service moves over, and back.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { MAIN_FILE, type MigratedFile } from "../../config/derived/migrated.ts";
import type { Config } from "../../config/model.ts";
import { isPhpFpmName } from "../../config/php-fpm/program.ts";
import { shellWord } from "../../log/words.ts";

/** What was written, and the commands that come next, for a terminal. */
export function stepsText(folder: string, files: readonly MigratedFile[], config: Config): string {
  return `${steps(folder, files, config).join("\n")}\n`;
}

function steps(folder: string, files: readonly MigratedFile[], config: Config): string[] {
  const main = shellWord(join(folder, MAIN_FILE));
  const { source, pools } = config;
  const unit = unitFor(source.file!);
  const isService = existsSync("/run/systemd/system") && unit !== null;
  const program = pools.map(({ command }) => command[0]!).find(isPhpFpmName) ?? "php-fpm";
  const again = isService
    ? `systemctl enable --now ${unit}`
    : `${shellWord(program)} -y ${shellWord(source.file!)}`;
  return [
    `wrote ${files.map(({ name }) => join(folder, name)).join(", ")}`,
    "",
    "First, whether it is sound on this machine (php-fpm goes on meanwhile):",
    `  fcgivisor check -c ${main}`,
    "",
    "The cut-over, while php-fpm serves: its sockets are taken over, its requests finish, none is lost:",
    `  fcgivisor start --takeover -c ${main}`,
    ...(isService
      ? [
          `  systemctl disable ${unit}`,
          `  fcgivisor service systemd -c ${main} > /etc/systemd/system/fcgivisor.service`,
          "  systemctl daemon-reload; systemctl enable fcgivisor",
        ]
      : []),
    "",
    "The way back; requests in flight finish, and who comes between the two commands is refused:",
    `  fcgivisor quit -c ${main}`,
    `  ${again}`,
    ...(isService ? ["  systemctl disable fcgivisor"] : []),
  ];
}

const UNIT_FOLDERS = ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"];

/** The service that runs it: Debian's php8.2-fpm, php-fpm elsewhere; null = there is none. */
function unitFor(file: string): string | null {
  const version = /\/php\/(\d+\.\d+)\//.exec(file)?.[1];
  const name = version === undefined ? "php-fpm.service" : `php${version}-fpm.service`;
  return UNIT_FOLDERS.some((folder) => existsSync(join(folder, name))) ? name : null;
}
