// What is printed of a command's use: its help, and the error that hints at it.

import { Fault } from "../fault.ts";
import type { Command } from "./command.ts";
import { longName, type Option, positionals, takesValue } from "./options.ts";

/** A usage error: exit code 2, and a hint at the command's help. */
export function usageFault(message: string, command?: string): Fault {
  return new Fault(message, {
    exitCode: 2,
    hint: `see "fcgivisor ${command === undefined ? "help" : `${command} --help`}"`,
  });
}

/** The help of one command, plain text: usage line, what it does, its options. */
export function usageText(command: Command): string {
  const rows = optionRows(command);
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return [
    `Usage: ${usageLine(command)}`,
    "",
    ...wrapped(command.description, WIDTH),
    ...(rows.length === 0 ? [] : ["", "Options:"]),
    ...rows.flatMap(([left, right]) => row(left.padEnd(width), right)),
  ].join("\n");
}

/** How it is called: `fcgivisor reload [OPTIONS] [POOL...]`. */
export function usageLine({ name, options }: Command): string {
  const words = positionals(options).map((word) => (word.needed ? word.name : `[${word.name}]`));
  return ["fcgivisor", name, "[OPTIONS]", ...words].join(" ");
}

/** Each option as it is written, with what it does. */
export function optionRows({
  options,
}: Pick<Command, "options">): (readonly [written: string, does: string])[] {
  return Object.entries(options)
    .filter(([, option]) => option.type !== "positional")
    .map(([key, option]) => optionRow(key, option));
}

/** Columns of a terminal. */
const WIDTH = 80;

/** What does not fit goes on below, under its beginning. */
export function row(left: string, right: string): string[] {
  const [first = "", ...rest] = wrapped(right, WIDTH - left.length - 4);
  const blank = " ".repeat(left.length);
  return [`  ${left}  ${first}`, ...rest.map((line) => `  ${blank}  ${line}`)];
}

/** The text in lines of at most so many characters, broken at blanks. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** What an option does, in a few words. */
export function optionText(option: Option): string {
  const off = "negativeDescription" in option ? option.negativeDescription : undefined;
  return off ?? option.description ?? "";
}

function optionRow(key: string, option: Option): readonly [left: string, right: string] {
  const short = "alias" in option ? `-${option.alias}, ` : "";
  const hint = "valueHint" in option ? option.valueHint : undefined;
  const value = takesValue(option) ? ` ${(hint ?? key).toUpperCase()}` : "";
  return [`${short}--${longName(key, option)}${value}`, optionText(option)];
}
