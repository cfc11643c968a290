// What may come next on an unfinished command line, told from the table of options alone. Pure: pools are asked
// for by complete.ts, files are looked for by the shell.

import { given, longName, type Option, type Options, takesValue } from "../options.ts";
import { optionText } from "../usage.ts";

/** By word what it means, "" where it speaks for itself. */
export type Words = Readonly<Record<string, string>>;

export type Wanted = {
  /** The beginning that is there already: of the last word, or of the value behind its `=`. */
  readonly typed: string;
} & (
  | { readonly kind: "words"; readonly words: Words }
  /** `except`: those that stand on the line already. */
  | { readonly kind: "pools"; readonly except: readonly string[] }
  | { readonly kind: "files" | "folders" }
);

/** The last word is the one being written, "" when it has not been begun. */
export function wanted(options: Options, line: readonly string[]): Wanted {
  const typed = line.at(-1) ?? "";
  const before = line.slice(0, -1);
  // What stands there is a command of its own.
  if (before.includes("--")) return { typed, kind: "files" };
  const { options: found, words } = given(options, before);
  const last = found.at(-1);
  if (last?.option && takesValue(last.option) && last.value === undefined)
    return { typed, ...sourceOf(last.name!, last.option, []) };
  if (!typed.startsWith("-") || typed === "-")
    return {
      typed,
      ...argument(
        options,
        words,
        typed,
        found.map(({ name }) => name),
      ),
    };
  const equals = typed.indexOf("=");
  if (equals < 0)
    return {
      typed,
      ...switches(
        options,
        found.map(({ name }) => name),
      ),
    };
  const { name, option } = given(options, [typed]).options[0]!;
  const value = typed.slice(equals + 1);
  return { typed: value, ...(option === null ? NOTHING : sourceOf(name!, option, [])) };
}

type Source =
  | { readonly kind: "words"; readonly words: Words }
  | { readonly kind: "pools"; readonly except: readonly string[] }
  | { readonly kind: "files" | "folders" };

const NOTHING: Source = { kind: "words", words: {} };

/** The next argument; options where there is none to come. */
function argument(
  options: Options,
  words: readonly string[],
  typed: string,
  used: readonly (string | null)[],
): Source {
  const rows = Object.entries(options).filter(([, { type }]) => type === "positional");
  const row = rows[words.length] ?? rows.findLast(([, option]) => isOpen(option));
  if (row === undefined || typed === "-") return switches(options, used);
  return sourceOf(...row, words);
}

function isOpen(option: Option): boolean {
  return "repeatable" in option && option.repeatable === true;
}

function switches(options: Options, used: readonly (string | null)[]): Source {
  const rows = Object.entries(options).filter(
    ([name, option]) => option.type !== "positional" && (isOpen(option) || !used.includes(name)),
  );
  const words = rows.map(([name, option]) => [`--${longName(name, option)}`, optionText(option)]);
  return { kind: "words", words: Object.fromEntries([...words, ["--help", "print this help"]]) };
}

const FILES = ["file", "path", "binary"];

/** Told by what the table calls the value. */
function sourceOf(name: string, option: Option, except: readonly string[]): Source {
  if ("choices" in option) return { kind: "words", words: option.choices ?? {} };
  const hint = ("valueHint" in option ? option.valueHint : undefined) ?? name;
  if (name === "pool") return { kind: "pools", except };
  if (hint === "dir") return { kind: "folders" };
  return FILES.includes(hint) ? { kind: "files" } : NOTHING;
}
