// `fcgivisor migrate PLACE`: a php-fpm's config as the files of a supervisor of its own, and the commands that
// move the service over and back. Runs nothing.

import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { migratedFiles, ownPlaces } from "../../config/derived/migrated.ts";
import { Fault, faultText } from "../../fault.ts";
import { defineCommand } from "../command.ts";
import { COMMON, PHP } from "../options.ts";
import { print, printError } from "../print.ts";
import { loadGivenConfig } from "./load-config.ts";
import { checkNothingIsThere, writeAll } from "./migrate-files.ts";
import { stepsText } from "./migrate-steps.ts";

const SYSTEM_FOLDER = "/etc/fcgivisor";

export default defineCommand({
  name: "migrate",
  description:
    "Writes the config of a php-fpm as TOML, a file a pool, and prints how to move the service over and back. Runs nothing.",
  options: {
    place: {
      type: "positional",
      valueHint: "place",
      description: "php-fpm's config file, or the folder it is in: /etc/php/8.2/fpm",
    },
    to: {
      type: "string",
      valueHint: "dir",
      description: `the folder to write to (default: ${SYSTEM_FOLDER}); existing files are left alone`,
    },
    prefix: COMMON.prefix,
    php: PHP,
    quiet: COMMON.quiet,
  },
  async run({ place, to, prefix, php, quiet }) {
    const file = configIn(place);
    const folder = resolve(to ?? SYSTEM_FOLDER);
    const loaded = await loadGivenConfig({ config: file, prefix, php }, null);
    if (loaded.config.source.format === "toml") throw isToml(file);
    const files = migratedFiles(loaded, ownPlaces(folder));
    checkNothingIsThere(folder, files);
    await writeAll(folder, files);
    if (!quiet) {
      for (const warning of loaded.warnings) printError(`warning: ${faultText(warning)}\n`);
      print(stepsText(folder, files, loaded.config));
    }
    return 0;
  },
});

const NAMES = ["php-fpm.conf", "etc/php-fpm.conf", "fpm/php-fpm.conf"];

function configIn(place: string): string {
  const path = resolve(place);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return path;
  const found = NAMES.map((name) => join(path, name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new Fault("there is no php-fpm.conf in this folder", {
    where: path,
    hint: "name the file itself, or the folder it is in, such as /etc/php/8.2/fpm",
  });
}

function isToml(file: string): Fault {
  return new Fault("this is a config of fcgivisor already", {
    where: { file },
    hint: "migrate is for the configs of php-fpm",
  });
}
