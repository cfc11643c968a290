// php-fpm's own command line, for who calls this program by its name with options: the same letters,
// the same exit codes (0 done, 64 usage, 70 it cannot run, 78 the config is wrong), told on stderr.

import type { Loaded } from "../../config/load.ts";
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
    const loaded = await checked(config, options);
    if (options.test > 0) return tested(loaded, config, options);
    return await serve(config, options, loaded);
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
  return `fcgivisor ${VERSION} (in the place of php-fpm; the PHP is that of php-cgi)`;
}

async function checked(config: string, options: PhpFpmOptions): Promise<Loaded> {
  const loaded = await loadGivenConfig(
    {
      config,
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

async function serve(config: string, options: PhpFpmOptions, loaded: Loaded): Promise<number> {
  const background = options.daemonize ?? loaded.config.supervisor.daemonize ?? false;
  const word = background ? "start" : "run";
  const { COMMANDS } = await import("../commands.ts");
  const { runStrict } = await import("../runner.ts");
  try {
    const command = (await COMMANDS[word]!.load()).default;
    const code = await runStrict(command, serveArgs(config, options, background));
    return code === 0 ? 0 : SOFTWARE;
  } catch (error) {
    complain(asFault(error));
    return SOFTWARE;
  }
}

function serveArgs(config: string, options: PhpFpmOptions, background: boolean): string[] {
  const given = (name: string, value: string | undefined) =>
    value === undefined ? [] : [name, value];
  return [
    ...["--quiet", "-c", config],
    ...given("--prefix", options.prefix),
    ...given("--pid-file", options.pidFile),
    ...given("--php-ini", options.phpIni),
    ...(options.forceStderr && !background ? ["--log-file", "stderr"] : []),
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
