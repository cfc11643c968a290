// Runs a command strictly: an unknown option, a missing value or a stray argument is a usage error
// (citty 0.2 accepts all three and exits 0), and the command's number is the exit code.

import { didYouMean } from "../config/nearest.ts";
import type { Command } from "./command.ts";
import {
  beforeDashes,
  given,
  type GivenOption,
  longNames,
  type Options,
  positionals,
  takesValue,
} from "./options.ts";
import { print } from "./print.ts";
import { usageFault, usageText } from "./usage.ts";

/** Runs the command and returns its exit code. Throws Faults; `--help` prints and returns 0. */
export async function runStrict(command: Command, rawArgs: readonly string[]): Promise<number> {
  const own = beforeDashes(rawArgs);
  if (own.includes("--help") || own.includes("-h")) {
    print(`${usageText(command)}\n`);
    return 0;
  }
  const { options, words } = given(command.options, rawArgs);
  for (const option of options) checkOption(command, option);
  checkWords(command, words);
  return command.run(rawArgs);
}

function checkOption({ name, options }: Command, { written, option, value }: GivenOption): void {
  if (option === null)
    throw usageFault(`unknown option ${written}${nearestOption(written, options)}`, name);
  if (!takesValue(option)) {
    if (value !== undefined) throw usageFault(`option ${written} takes no value`, name);
  } else if (value === undefined || value === "") {
    throw usageFault(`option ${written} needs a value`, name);
  }
}

/** Of a single letter nothing can be said. */
function nearestOption(written: string, options: Options): string {
  const word = written.replace(/^-+/, "");
  return word.length < 2 ? "" : didYouMean(`--${word}`, longNames(options));
}

function checkWords({ name, options }: Command, words: readonly string[]): void {
  const count = words.length;
  const all = positionals(options);
  if (count > all.length && !all.some(({ takesAll }) => takesAll)) {
    const surplus = JSON.stringify(words[all.length]);
    throw usageFault(
      all.length === 0
        ? `${name} takes no arguments, but there is ${surplus}`
        : `too many arguments: ${surplus}`,
      name,
    );
  }
  const needed = all.filter((word) => word.needed);
  if (count < needed.length) throw usageFault(`${name} needs ${needed[count]!.name}`, name);
}
