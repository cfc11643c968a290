// `fcgivisor complete -- WORD...`, which the scripts of `fcgivisor completion` call at each TAB: prints what the last word
// may become. The first line tells what it is about (words, files or folders); then one candidate a line, a tab, and
// what it means. It never fails and never waits long: whoever presses TAB wants no error in the middle of a line.

import { after } from "../../sys/clock.ts";
import { defineCommand, type Command, type CommandTable } from "../command.ts";
import { listedCommands } from "../help/overview.ts";
import { commandAt } from "../leading-options.ts";
import { afterDashes, COMMON, given, type Options } from "../options.ts";
import { print } from "../print.ts";
import { type Wanted, wanted, type Words } from "./wanted.ts";

/** For an answer of the supervisor; a shell that hangs is worse than no names. */
const PATIENCE_MS = 1000;
/** What a pool can be called: nothing else gets into a command line. */
const POOL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** The command itself; it completes those of the table that it is one of. */
export function completeCommand(commands: CommandTable): Command {
  return defineCommand({
    name: "complete",
    description: "Prints what the last word behind -- may become; for the completion of shells.",
    options: {},
    async run(_, { rawArgs }) {
      const line = afterDashes(rawArgs);
      print(`${(await completions(commands, line).catch(() => ["words"])).join("\n")}\n`);
      return 0;
    },
  });
}

async function completions(commands: CommandTable, line: readonly string[]): Promise<string[]> {
  const at = commandAt(line);
  const leading = line.slice(0, at);
  if (at >= line.length - 1) return answer(wanted(first(commands), line), leading);
  const row = Object.hasOwn(commands, line[at]!) ? commands[line[at]!] : undefined;
  if (row === undefined) return ["words"];
  const { options } = (await row.load()).default;
  const behind = line.slice(at + 1);
  return answer(wanted(options, behind), [...leading, ...behind]);
}

/** What may stand where the command has still to come. */
function first(commands: CommandTable): Options {
  const rows = listedCommands(commands).map(({ name, summary }) => [name, summary]);
  return { command: { type: "positional", choices: Object.fromEntries(rows) }, ...COMMON };
}

async function answer(next: Wanted, line: readonly string[]): Promise<string[]> {
  switch (next.kind) {
    case "files":
    case "folders":
      return [next.kind];
    case "words":
      return ["words", ...matching(next.words, next.typed)];
    case "pools": {
      const names = (await poolsOf(line)).filter((name) => !next.except.includes(name));
      return [
        "words",
        ...matching(Object.fromEntries(names.map((name) => [name, ""])), next.typed),
      ];
    }
  }
}

function matching(words: Words, typed: string): string[] {
  return Object.entries(words)
    .filter(([word]) => word.startsWith(typed))
    .map(([word, meaning]) => `${word}\t${meaning}`);
}

/** Of the supervisor that the line is for; of the config where none runs. */
async function poolsOf(line: readonly string[]): Promise<string[]> {
  const { config, socket, prefix } = placeIn(line);
  const { knownPools } = await import("../request/target.ts");
  const late = new Promise<[]>((resolve) => after(PATIENCE_MS, () => resolve([])));
  const names = await Promise.race([knownPools({ config, socket, prefix }), late]);
  return names.filter((name) => POOL_NAME.test(name));
}

function placeIn(line: readonly string[]) {
  const found = new Map(given(COMMON, line).options.map(({ name, value }) => [name, value]));
  return {
    config: found.get("config"),
    socket: found.get("socket"),
    prefix: found.get("prefix"),
  };
}
