// The one door to citty, which reads the command line. A command is made from a table of its options, and
// gets their values with the types that the table says (citty's own types take what is missing for there).
// citty brings node:util, which costs as much as half of a short command: it is loaded for a line that needs it.

import type { ArgsDef, CommandDef } from "citty";
import { given, type Options, plainValues, repeated, type ValuesOf } from "./options.ts";

/** What stands on the command line beside the values. */
export interface CommandLine {
  /** As given, options and all. */
  readonly rawArgs: readonly string[];
  /** All the words that are no options. */
  readonly words: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly description: string;
  readonly options: Options;
  /** Returns the exit code. Takes the words for checked (runner.ts). */
  readonly run: (rawArgs: readonly string[]) => Promise<number>;
}

/** What is known of a command before it is called for. */
export interface CommandRow {
  /** For the list of commands; "" = not listed. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly default: Command }>;
}

/** The commands by name, in the order they are listed. */
export type CommandTable = Readonly<Record<string, CommandRow>>;

interface CommandSpec<T extends Options> {
  readonly name: string;
  readonly description: string;
  readonly options: T;
  /** Returns the exit code; nothing means 0. */
  readonly run: (values: ValuesOf<T>, line: CommandLine) => number | void | Promise<number | void>;
}

export function defineCommand<const T extends Options>(spec: CommandSpec<T>): Command {
  const { name, description, options } = spec;
  return {
    name,
    description,
    options,
    async run(rawArgs) {
      const { words } = given(options, rawArgs);
      const values = plainValues(options, rawArgs) ?? (await parsedValues(options, rawArgs));
      return (await spec.run(values, { rawArgs, words })) ?? 0;
    },
  };
}

/** What citty reads; the words are checked already. */
export async function parsedValues<T extends Options>(
  options: T,
  rawArgs: readonly string[],
): Promise<ValuesOf<T>> {
  const { runCommand } = await import("citty");
  const definition: CommandDef<ArgsDef> = {
    args: options as ArgsDef,
    run: ({ args }) => valuesOf(options, args, rawArgs),
  };
  const { result } = await runCommand(definition, { rawArgs: [...rawArgs] });
  return result as ValuesOf<T>;
}

function valuesOf<T extends Options>(
  options: T,
  parsed: Readonly<Record<string, unknown>>,
  rawArgs: readonly string[],
): ValuesOf<T> {
  const values = Object.entries(options).map(([name, option]) => {
    if (option.type === "boolean") return [name, parsed[name] === true];
    if (option.repeatable !== true) return [name, parsed[name]];
    return [name, option.type === "string" ? repeated(options, rawArgs, name) : parsed["_"]];
  });
  return Object.fromEntries(values) as ValuesOf<T>;
}
