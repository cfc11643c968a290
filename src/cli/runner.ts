// Runs one citty command strictly: an unknown option, a missing value or a stray argument is a
// usage error (citty 0.2 accepts all three and exits 0), and the command's number is the exit code.

import type { ArgDef, ArgsDef, CommandDef, CommandMeta } from "citty";
import { Fault } from "../fault.ts";
import { print } from "./print.ts";

export type Command = CommandDef<any>;

/** What is known of a command before it is called for. */
export interface CommandRow {
  /** For the list of commands; "" = not listed. */
  readonly summary: string;
  readonly load: () => Promise<{ default: Command }>;
}

/** The commands by name, in the order they are listed. */
export type CommandTable = Readonly<Record<string, CommandRow>>;

/** Options that every control command knows. */
export const COMMON = {
  config: {
    type: "string",
    alias: "c",
    valueHint: "file",
    description: "config file (TOML or legacy XML)",
  },
  socket: { type: "string", valueHint: "path", description: "control socket of the supervisor" },
  prefix: {
    type: "string",
    valueHint: "dir",
    description: "what relative paths of a legacy config are relative to",
  },
  json: { type: "boolean", description: "print the result as JSON" },
  quiet: { type: "boolean", alias: "q", description: "print nothing but errors" },
} as const satisfies ArgsDef;

/** A usage error: exit code 2, and a hint at the command's help. */
export function usageFault(message: string, command?: string): Fault {
  return new Fault(message, {
    exitCode: 2,
    hint: `see "fcgivisor ${command === undefined ? "help" : `${command} --help`}"`,
  });
}

/** Runs the command and returns its exit code. Throws Faults; `--help` prints and returns 0. */
export async function runStrict(
  name: string,
  command: Command,
  rawArgs: string[],
): Promise<number> {
  const { runCommand } = await import("citty");
  const args = command.args as ArgsDef;
  const own = rawArgs.slice(0, endOfOptions(rawArgs));
  if (own.includes("--help") || own.includes("-h")) {
    print(`${usageText(name, command)}\n`);
    return 0;
  }
  checkArgs(name, args, rawArgs);
  const { result } = await runCommand(command, { rawArgs });
  return typeof result === "number" ? result : 0;
}

/** The values of an option that may be given several times (citty keeps only the last). */
export function repeated(rawArgs: string[], args: ArgsDef, wanted: string): string[] {
  return options(args, rawArgs)
    .filter((option) => option.name === wanted && option.value !== undefined)
    .map((option) => option.value!);
}

/** What stands behind `--`; empty when there is none. */
export function afterDashes(rawArgs: string[]): string[] {
  const at = rawArgs.indexOf("--");
  return at < 0 ? [] : rawArgs.slice(at + 1);
}

function endOfOptions(rawArgs: string[]): number {
  const at = rawArgs.indexOf("--");
  return at < 0 ? rawArgs.length : at;
}

interface SeenOption {
  readonly written: string;
  readonly name: string | null;
  readonly def: ArgDef | null;
  readonly value: string | undefined;
}

function options(args: ArgsDef, rawArgs: string[]): SeenOption[] {
  const seen: SeenOption[] = [];
  const end = endOfOptions(rawArgs);
  for (let i = 0; i < end; i++) {
    const word = rawArgs[i]!;
    if (!isOption(word)) continue;
    const equals = word.indexOf("=");
    const written = equals < 0 ? word : word.slice(0, equals);
    const found = lookUp(args, written);
    let value = equals < 0 ? undefined : word.slice(equals + 1);
    if (found && takesValue(found[1]) && value === undefined && i + 1 < end) value = rawArgs[++i];
    seen.push({ written, name: found?.[0] ?? null, def: found?.[1] ?? null, value });
  }
  return seen;
}

function isOption(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

function takesValue(def: ArgDef): boolean {
  return def.type === "string" || def.type === "enum";
}

function lookUp(args: ArgsDef, written: string): [string, ArgDef] | undefined {
  const long = written.startsWith("--");
  const word = written.slice(long ? 2 : 1);
  return Object.entries(args).find(([name, def]) => {
    if (def.type === "positional") return false;
    const aliases = "alias" in def && def.alias !== undefined ? [def.alias].flat() : [];
    return long
      ? name === word || aliases.includes(word) || (def.type === "boolean" && word === `no-${name}`)
      : aliases.includes(word) && word.length === 1;
  });
}

function checkArgs(name: string, args: ArgsDef, rawArgs: string[]): void {
  let words = 0;
  for (const option of options(args, rawArgs)) {
    if (option.def === null) throw usageFault(`unknown option ${option.written}`, name);
    if (takesValue(option.def)) {
      if (option.value === undefined || option.value === "") {
        throw usageFault(`option ${option.written} needs a value`, name);
      }
    } else if (option.value !== undefined) {
      throw usageFault(`option ${option.written} takes no value`, name);
    }
  }
  const end = endOfOptions(rawArgs);
  for (let i = 0; i < end; i++) {
    const word = rawArgs[i]!;
    if (!isOption(word)) words++;
    else {
      const found = lookUp(args, word.split("=")[0]!);
      if (found && takesValue(found[1]) && !word.includes("=")) i++;
    }
  }
  const positionals = Object.values(args).filter((def) => def.type === "positional");
  const open = positionals.some((def) => def.valueHint?.endsWith("...") === true);
  if (!open && words > positionals.length) {
    throw usageFault(
      positionals.length === 0 ? `${name} takes no arguments` : "too many arguments",
      name,
    );
  }
  const needed = positionals.filter((def) => def.required !== false && def.default === undefined);
  if (words < needed.length)
    throw usageFault(`${name} needs ${positionalText(needed[words]!, args)}`, name);
}

function positionalText(def: ArgDef, args: ArgsDef): string {
  const name = Object.entries(args).find(([, other]) => other === def)![0];
  return (def.valueHint ?? name).toUpperCase();
}

/** The help of one command, plain text: usage line, what it does, its options. */
export function usageText(name: string, command: Command): string {
  const args = Object.entries((command.args ?? {}) as ArgsDef);
  const words = args
    .filter(([, def]) => def.type === "positional")
    .map(([key, def]) => {
      const word = (def.valueHint ?? key).toUpperCase();
      return def.required === false ? `[${word}]` : word;
    });
  const rows = args
    .filter(([, def]) => def.type !== "positional")
    .map(([key, def]) => {
      const short = "alias" in def ? [def.alias ?? []].flat().filter((a) => a.length === 1) : [];
      const value = takesValue(def) ? ` ${(def.valueHint ?? key).toUpperCase()}` : "";
      const off = "negativeDescription" in def ? def.negativeDescription : undefined;
      return [
        `${short.map((a) => `-${a}, `).join("")}--${off === undefined ? "" : "no-"}${key}${value}`,
        off ?? def.description ?? "",
      ] as const;
    });
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return [
    `Usage: fcgivisor ${[name, "[OPTIONS]", ...words].join(" ")}`,
    "",
    (command.meta as CommandMeta).description ?? "",
    ...(rows.length === 0 ? [] : ["", "Options:"]),
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
  ].join("\n");
}
