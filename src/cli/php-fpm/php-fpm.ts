// What the old control script did, for who calls this program through a link named php-fpm (or, for
// options of today's php-fpm, php-fpm8.2): the same six words, the same lines, the same exit codes (php-fpm 0.5's sbin/php-fpm). Only that the words
// now tell the truth: reload and logrotate used to say "done" whatever happened.

import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { asFault, faultText } from "../../fault.ts";
import { COMMANDS } from "../commands.ts";
import { phpFpmConfig } from "./config-place.ts";
import { runStrict } from "../runner.ts";
import { print, printError } from "../print.ts";

const WORDS: Readonly<Record<string, string>> = {
  start: "Starting php_fpm ",
  stop: "Shutting down php_fpm ",
  quit: "Gracefully shutting down php_fpm ",
  reload: "Reload service php-fpm ",
  logrotate: "Re-opening php-fpm log file ",
};

/** `called`: the name it was called by. Returns the exit code. */
export async function runAsPhpFpm(called: string, argv: readonly string[]): Promise<number> {
  const [word] = argv;
  if (word?.startsWith("-") === true) {
    const { runLikePhpFpm } = await import("./modern.ts");
    return runLikePhpFpm(called, prefixOf(called), argv);
  }
  const config = ["-c", phpFpmConfig(called, prefixOf(called))];
  if (argv.length === 1 && word === "restart") {
    await step("stop", config);
    return step("start", config);
  }
  if (argv.length !== 1 || word === undefined || !Object.hasOwn(WORDS, word)) {
    print(`Usage: ${called} {start|stop|quit|restart|reload|logrotate}\n`);
    return 1;
  }
  return step(word, config);
}

/** PREFIX: the parent of the folder that the link is in. */
function prefixOf(called: string): string {
  const path = called.includes("/") ? resolve(called) : onPath(called);
  return dirname(realpathSync(dirname(path)));
}

function onPath(name: string): string {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find(existsSync) ?? resolve(name);
}

async function step(word: string, config: readonly string[]): Promise<number> {
  print(WORDS[word]!);
  try {
    const command = (await COMMANDS[word]!.load()).default;
    const code = await runStrict(command, [...config, "--quiet"]);
    print(code === 0 ? " done\n" : " failed\n");
    return code;
  } catch (error) {
    const fault = asFault(error);
    if (fault.exitCode === 3) {
      print("warning, no pid file found - php-fpm is not running ?\n");
    } else {
      print(" failed\n");
      printError(`${faultText(fault)}\n`);
    }
    return 1;
  }
}
