// php-fpm's own command line, for who calls this program by its name with options: the same letters,
// the same exit codes (0 done, 64 usage, 70 it cannot run, 78 the config is wrong), told on stderr.

import { basename } from "node:path";
import { formatOf } from "../../config/format.ts";
import type { Loaded } from "../../config/load.ts";
import { findPhpFpm, phpFpmVersion } from "../../config/php-fpm/program.ts";
import { readSource } from "../../config/source.ts";
import { asFault, type Fault, faultText } from "../../fault.ts";
import { wallClock } from "../../sys/clock.ts";
import { loadGivenConfig } from "../config/load-config.ts";
import { phpFpmConfig } from "./config-place.ts";
import { parsePhpFpmOptions, phpFpmUsage, type PhpFpmOptions } from "./options.ts";
import { print, printError } from "../print.ts";

const USAGE = 64;
const SOFTWARE = 70;
const CONFIG = 78;

/** `prefix`: the folder that the link stands in has for a parent. Returns the exit code. */
export async function runLikePhpFpm(
  called: string,
  prefix: string,
  argv: readonly string[],
): Promise<number> {
  const options = parsePhpFpmOptions(argv);
  if ("problem" in options) {
    printError(`${called}: ${options.problem}\n${phpFpmUsage(called)}\n`);
    return USAGE;
  }
  if (options.help) return said(phpFpmUsage(called));
  if (options.version) return said(await versionText());
  const config = options.config ?? phpFpmConfig(called, prefix);
  try {
    const php = await phpByName(called, config);
    const loaded = await checked(config, options, php);
    if (options.test > 0) return tested(loaded, config, options);
    return await serve(serveArgs(config, options, php), options, loaded);
  } catch (error) {
    complain(asFault(error));
    say("ERROR", "the config is refused; nothing was started");
    return CONFIG;
  }
}

function said(text: string): number {
  print(`${text}\n`);
  return 0;
}

async function versionText(): Promise<string> {
  const { VERSION } = await import("../version.ts");
  return `fcgivisor ${VERSION} (in the place of php-fpm)`;
}

/** Called as php-fpm8.2 it runs a config of php-fpm on that one, wherever the config stands; undefined: on what fits the config. */
async function phpByName(called: string, config: string): Promise<string | undefined> {
  const name = basename(called);
  if (phpFpmVersion(name) === null) return undefined;
  const bytes = await readSource(config);
  return formatOf(config, bytes) === "php-fpm-ini"
    ? (findPhpFpm([name], process.env) ?? undefined)
    : undefined;
}

async function checked(
  config: string,
  options: PhpFpmOptions,
  php: string | undefined,
): Promise<Loaded> {
  const loaded = await loadGivenConfig(
    {
      config,
      php,
      prefix: options.prefix,
      "pid-file": options.pidFile,
      "php-ini": options.phpIni,
      "allow-root": options.allowRoot,
    },
    process.getuid!(),
  );
  const { preflight } = await import("../../supervisor/start/preflight.ts");
  return { ...loaded, warnings: [...loaded.warnings, ...(await preflight(loaded.config))] };
}

async function tested(loaded: Loaded, config: string, { test }: PhpFpmOptions): Promise<number> {
  for (const warning of loaded.warnings) say("WARNING", faultText(warning));
  if (test > 1) {
    const { dumpConfig } = await import("../../config/derived/dump.ts");
    printError(dumpConfig(loaded));
  }
  say("NOTICE", `configuration file ${config} test is successful`);
  return 0;
}

async function serve(args: string[], options: PhpFpmOptions, loaded: Loaded): Promise<number> {
  const background = options.daemonize ?? loaded.config.supervisor.daemonize ?? false;
  const log = options.forceStderr && !background ? ["--log-file", "stderr"] : [];
  const word = background ? "start" : "run";
  const { COMMANDS } = await import("../commands.ts");
  const { runStrict } = await import("../runner.ts");
  try {
    const command = (await COMMANDS[word]!.load()).default;
    const code = await runStrict(command, [...args, ...log]);
    return code === 0 ? 0 : SOFTWARE;
  } catch (error) {
    complain(asFault(error));
    return SOFTWARE;
  }
}

function serveArgs(config: string, options: PhpFpmOptions, php: string | undefined): string[] {
  const given = (name: string, value: string | undefined) =>
    value === undefined ? [] : [name, value];
  return [
    ...["--quiet", "-c", config],
    ...given("--prefix", options.prefix),
    ...given("--pid-file", options.pidFile),
    ...given("--php-ini", options.phpIni),
    ...given("--php", php),
    ...(options.allowRoot ? ["--allow-root"] : []),
  ];
}

function complain(fault: Fault): void {
  say("ERROR", faultText(fault));
}

/** A line as php-fpm writes it: `[22-Nov-2026 15:40:19] ERROR: text`. */
function say(level: "NOTICE" | "WARNING" | "ERROR", text: string): void {
  printError(`[${stamp(wallClock())}] ${level}: ${text}\n`);
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

function stamp(time: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const date = `${two(time.getDate())}-${MONTHS[time.getMonth()]}-${time.getFullYear()}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}
