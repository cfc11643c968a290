// `fcgivisor init [FILE]`: a first config that fits this machine. Never overwrites a file.

import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { type Found, starterText } from "../../config/derived/starter.ts";
import { findPhpFpm, PHP_FPM_NAMES } from "../../config/php-fpm/program.ts";
import { asFault, Fault } from "../../fault.ts";
import { shellWord } from "../../log/words.ts";
import { findUser } from "../../sys/machine/users.ts";
import { printData } from "../print-data.ts";
import { printError } from "../print.ts";
import { defineCommand } from "../command.ts";
import { usageFault } from "../usage.ts";

export default defineCommand({
  name: "init",
  description: "Writes a first config that fits this machine to FILE, or prints it.",
  options: {
    file: {
      type: "positional",
      required: false,
      valueHint: "file",
      description: "where to write it; an existing file is left alone",
    },
  },
  run({ file }) {
    const text = starterText(lookAround());
    if (file === "") throw usageFault("FILE is empty", "init");
    if (file === undefined || file === "-") printData(text);
    else create(file, text);
    return 0;
  },
});

function create(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx", mode: 0o644 });
  } catch (error) {
    const message = asFault(error).message;
    if (message.includes("ENOSPC") || message.includes("EDQUOT")) {
      rmSync(file, { force: true });
      throw new Fault("the file cannot be written", {
        where: file,
        hint: "make room",
        cause: error,
      });
    }
    if (message.includes("EEXIST")) {
      throw new Fault("this file exists already, and is left as it is", {
        where: file,
        hint: `name another file; to replace this one: fcgivisor init > ${shellWord(file)}`,
      });
    }
    throw new Fault("the file cannot be written", {
      where: file,
      hint: `is there a folder ${dirname(resolve(file))}, and may this user write in it?`,
      cause: error,
    });
  }
  printError(`wrote ${file}; next: fcgivisor check -c ${shellWord(file)}\n`);
}

const WEB_USERS = ["www-data", "apache", "nginx", "www", "http", "wwwrun"];
const DOCUMENT_ROOTS = ["/var/www/html", "/var/www", "/srv/www", "/usr/share/nginx/html"];

function lookAround(): Found {
  const nginxUser = userOfNginx();
  return {
    root: process.getuid?.() === 0,
    php: findPhpFpm(PHP_FPM_NAMES, process.env) ?? phpCgi(),
    user: WEB_USERS.find((name) => findUser(name) !== null) ?? nginxUser,
    nginxUser,
    documentRoot: DOCUMENT_ROOTS.find(isFolder) ?? null,
    processors: availableParallelism(),
  };
}

/** The plain name, so that an update of PHP is followed; else the newest with a version in its name. */
function phpCgi(): string | null {
  const folders = (process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin").split(delimiter);
  const versions = [9, 8, 7].flatMap((major) =>
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((minor) => `php-cgi${major}.${minor}`),
  );
  for (const name of ["php-cgi", ...versions]) {
    const path = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
    if (path !== undefined) return path;
  }
  return null;
}

/** As nginx.conf says; null without nginx, or for a user that does not exist. */
function userOfNginx(): string | null {
  try {
    const text = readFileSync("/etc/nginx/nginx.conf", "utf8");
    const name = /^\s*user\s+([\w.-]+)/m.exec(text)?.[1] ?? "nobody";
    return findUser(name) === null ? null : name;
  } catch {
    return null; // there is no nginx, or not at its usual place
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
