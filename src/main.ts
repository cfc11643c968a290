// argv in, exit code out; the only process.exit. What is not needed for the command at hand is not
// imported.

import { COMMANDS } from "./cli/commands.ts";
import { commandFirst } from "./cli/leading-options.ts";
import { print, printError, printJson } from "./cli/print.ts";
import { asFault, Fault, faultText } from "./fault.ts";
import { STATE_FORMAT, STATE_FORMAT_WORD } from "./supervisor/recovery/state-format.ts";
import { SHIM_WORD } from "./worker/shim-task.ts";

async function main(given: readonly string[]): Promise<number> {
  const [word, ...rest] = commandFirst(given);
  if (word === SHIM_WORD) return (await import("./worker/shim.ts")).runShim(rest[0]);
  // A pattern is looked at only where it may fit: each costs as much as a file that is loaded.
  const { argv0 } = process;
  const asPhpFpm = argv0.includes("php-fpm") && /(^|\/)php-fpm[0-9.]*$/.test(argv0);
  // The words that stay; as early as can be, because it starts this program once more.
  if (asPhpFpm || word === "run") (await import("./sys/exec/steady.ts")).becomeSteady();
  if (asPhpFpm) {
    return (await import("./cli/php-fpm/php-fpm.ts")).runAsPhpFpm(argv0, given);
  }
  if (word !== undefined && ["version", "--version", "-v", "-V"].includes(word)) {
    const { VERSION } = await import("./cli/version.ts");
    print(`fcgivisor ${VERSION}\n`);
    return 0;
  }
  if (word === STATE_FORMAT_WORD) {
    print(`${STATE_FORMAT}\n`);
    return 0;
  }
  if (word === undefined || asksForHelp(word, rest)) {
    const { overviewText } = await import("./cli/help/overview.ts");
    const text = `${overviewText(COMMANDS)}\n`;
    if (word === undefined) printError(text);
    else print(text);
    return word === undefined ? 2 : 0;
  }
  const row = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
  if (row === undefined) {
    const { usageFault } = await import("./cli/usage.ts");
    const { didYouMean } = await import("./config/nearest.ts");
    const { listedCommands } = await import("./cli/help/overview.ts");
    const what = word.startsWith("-") ? `unknown option ${word}` : `unknown command "${word}"`;
    const known = listedCommands(COMMANDS).map(({ name }) => name);
    throw usageFault(`${what}${didYouMean(word, known)}`);
  }
  const { runStrict } = await import("./cli/runner.ts");
  return runStrict((await row.load()).default, rest);
}

/** Without a topic: that one says which commands there are. */
function asksForHelp(word: string, rest: readonly string[]): boolean {
  return word === "--help" || word === "-h" || (word === "help" && rest.length === 0);
}

/** Who asks for JSON is told of a failure in JSON, too. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end < 0 ? argv.length : end).includes("--json");
}

function complain(error: unknown): number {
  const fault = asFault(error);
  if (asksForJson(process.argv.slice(2))) printJson({ ok: false, fault });
  printError(`fcgivisor: ${faultText(fault)}\n`);
  if (!(error instanceof Fault) && error instanceof Error) printError(`${error.stack}\n`);
  return fault.exitCode;
}

/** A program that was upgraded to, and failed before it had even taken over, goes back to the old one. */
async function goBackFrom(error: unknown): Promise<void> {
  const { receiveHandover } = await import("./sys/exec/handover.ts");
  const { goBack } = await import("./supervisor/upgrade.ts");
  const handover = receiveHandover();
  if (handover !== null) goBack(handover, asFault(error).message);
}

async function failed(error: unknown): Promise<number> {
  const code = complain(error);
  if (process.env["FCGIVISOR_HANDOVER"] !== undefined) await goBackFrom(error);
  return code;
}

process.exit(await main(process.argv.slice(2)).catch(failed));
