// `fcgivisor migrate PLACE`: a php-fpm's config as the files of a supervisor of its own, and the commands that
// move the service over and back. Writes new files only, all or none; runs nothing.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  MAIN_FILE,
  type MigratedFile,
  migratedFiles,
  ownPlaces,
  POOLS_FOLDER,
} from "../../config/derived/migrated.ts";
import type { Loaded } from "../../config/load.ts";
import { asFault, Fault, faultText } from "../../fault.ts";
import { shellWord } from "../../log/words.ts";
import { defineCommand } from "../command.ts";
import { COMMON, PHP } from "../options.ts";
import { print, printError } from "../print.ts";
import { loadGivenConfig } from "./load-config.ts";

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
      print(`${told(folder, files, loaded).join("\n")}\n`);
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

/** Another file of pools there would be read along. */
function checkNothingIsThere(folder: string, files: readonly MigratedFile[]): void {
  const pools = join(folder, POOLS_FOLDER);
  const others = namesIn(pools).filter((name) => name.endsWith(".toml"));
  const paths = [
    ...files.map(({ name }) => join(folder, name)).filter((path) => existsSync(path)),
    ...others.map((name) => join(pools, name)),
  ];
  const [first] = paths;
  if (first === undefined) return;
  throw new Fault("this file exists already; nothing was written", {
    where: first,
    hint: "remove it, or choose another folder with --to DIR",
  });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Not there, no folder, or not ours to look into: that shows when it is written to.
    return [];
  }
}

/** All of them, or none. Each can be read by whom what it is made from can. */
async function writeAll(folder: string, files: readonly MigratedFile[]): Promise<void> {
  const undo: (() => void)[] = [];
  try {
    for (const path of [folder, join(folder, POOLS_FOLDER)]) makeFolder(path, undo);
    for (const { name, text, from } of files) {
      const path = join(folder, name);
      const mode = from === null ? 0o600 : statSync(from).mode & 0o666;
      writeFileSync(path, text, { flag: "wx", mode });
      undo.push(() => rmSync(path, { force: true }));
    }
    await loadGivenConfig({ config: join(folder, MAIN_FILE) }, null);
  } catch (error) {
    for (const step of undo.toReversed()) step();
    const fault = asFault(error);
    throw new Fault("the config cannot be written; nothing of it was left", {
      where: folder,
      hint: "make room, or name a folder that this user may write in with --to DIR",
      cause: fault,
    });
  }
}

function makeFolder(path: string, undo: (() => void)[]): void {
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined) return;
  undo.push(() => {
    // The new ones only, from the innermost outwards.
    for (let each = path; each.length >= first.length; each = dirname(each)) rmdirSync(each);
  });
}

function told(folder: string, files: readonly MigratedFile[], loaded: Loaded): string[] {
  const main = shellWord(join(folder, MAIN_FILE));
  const { source, pools } = loaded.config;
  const unit = unitFor(source.file!);
  const isService = existsSync("/run/systemd/system") && unit !== null;
  const program = pools[0]?.command[0] ?? "php-fpm";
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
  const names = version === undefined ? ["php-fpm.service"] : [`php${version}-fpm.service`];
  const found = names.find((name) => UNIT_FOLDERS.some((folder) => existsSync(join(folder, name))));
  return found ?? null;
}
