// The options and arguments of a command as a table, the types of their values, and what a command line
// says of them, word by word. Pure: nothing is refused here (runner.ts), nothing is run (command.ts).

interface OptionRow {
  readonly description?: string;
}

export type Option =
  | (OptionRow & {
      readonly type: "boolean";
      readonly alias?: string;
      readonly default?: boolean;
      /** Of `--no-NAME`, for one that is on unless turned off. */
      readonly negativeDescription?: string;
    })
  | (OptionRow & {
      readonly type: "string";
      readonly alias?: string;
      readonly valueHint?: string;
      /** May be given several times. */
      readonly repeatable?: true;
    })
  | (OptionRow & {
      readonly type: "positional";
      readonly valueHint?: string;
      /** false: may be left out. */
      readonly required?: false;
      /** Takes all the words there are. */
      readonly repeatable?: true;
    });

export type Options = Readonly<Record<string, Option>>;

type ValueOf<O extends Option> = O extends { readonly repeatable: true }
  ? readonly string[]
  : O extends { readonly type: "boolean" }
    ? boolean
    : O extends { readonly type: "positional"; readonly required?: never }
      ? string
      : string | undefined;

/** What a command gets for a table: a switch is true or false, what was not given is undefined. */
export type ValuesOf<T extends Options> = { readonly [K in keyof T]: ValueOf<T[K]> };

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
} as const satisfies Options;

/** For commands that read a config to run it, or to say what running it would be. */
export const PHP = {
  type: "string",
  valueHint: "program",
  description:
    "php-fpm or php-cgi that the pools of a php-fpm config run; what fits it unless given",
} as const satisfies Option;

/** An option as it stands on the command line. */
export interface GivenOption {
  readonly written: string;
  /** null = the table has no such option. */
  readonly name: string | null;
  readonly option: Option | null;
  readonly value: string | undefined;
}

export interface GivenWords {
  readonly options: readonly GivenOption[];
  readonly words: readonly string[];
}

/** What stands before `--`, told apart: options with their values, and the other words. */
export function given(options: Options, rawArgs: readonly string[]): GivenWords {
  const found: { options: GivenOption[]; words: string[] } = { options: [], words: [] };
  const own = beforeDashes(rawArgs);
  for (let at = 0; at < own.length; at++) {
    const word = own[at]!;
    if (!isOption(word)) {
      found.words.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const written = equals < 0 ? word : word.slice(0, equals);
    const [name, option] = lookUp(options, written) ?? [null, null];
    let value = equals < 0 ? undefined : word.slice(equals + 1);
    if (option !== null && takesValue(option) && value === undefined) value = own[++at];
    found.options.push({ written, name, option, value });
  }
  return found;
}

/** The values of an option that may be given several times. */
export function repeated(
  options: Options,
  rawArgs: readonly string[],
  wanted: string,
): readonly string[] {
  return given(options, rawArgs)
    .options.filter(({ name, value }) => name === wanted && value !== undefined)
    .map(({ value }) => value!);
}

/**
 * The values of a line that can be read in one way only: each option stands there once and under its own name, and
 * no value looks like an option. null: it takes a parser to say what such a line means.
 */
export function plainValues<T extends Options>(
  options: T,
  rawArgs: readonly string[],
): ValuesOf<T> | null {
  const { options: found, words } = given(options, rawArgs);
  const names = found.map(({ name }) => name);
  const isPlain = found.every(
    ({ written, name, value }) =>
      name !== null && written !== `--no-${name}` && value !== "" && !value?.startsWith("-"),
  );
  if (!isPlain || new Set(names).size < names.length || rawArgs.includes("--")) return null;
  const values = new Map(found.map(({ name, value }) => [name, value]));
  const left = [...words];
  const read = Object.entries(options).map(([name, option]) => {
    if (option.type === "boolean") return [name, values.has(name) || option.default === true];
    if (option.type === "positional") return [name, option.repeatable ? words : left.shift()];
    const value = values.get(name);
    if (option.repeatable) return [name, value === undefined ? [] : [value]];
    return [name, value];
  });
  return Object.fromEntries(read) as ValuesOf<T>;
}

export function beforeDashes(rawArgs: readonly string[]): readonly string[] {
  const at = rawArgs.indexOf("--");
  return at < 0 ? rawArgs : rawArgs.slice(0, at);
}

/** What stands behind `--`; empty when there is none. */
export function afterDashes(rawArgs: readonly string[]): readonly string[] {
  const at = rawArgs.indexOf("--");
  return at < 0 ? [] : rawArgs.slice(at + 1);
}

export function takesValue({ type }: Option): boolean {
  return type === "string";
}

/** The arguments of a table, in their order, with their names for people. */
export function positionals(
  options: Options,
): { readonly name: string; readonly needed: boolean; readonly takesAll: boolean }[] {
  return Object.entries(options).flatMap(([name, option]) =>
    option.type === "positional"
      ? [
          {
            name: (option.valueHint ?? name).toUpperCase(),
            needed: option.required !== false,
            takesAll: option.repeatable === true,
          },
        ]
      : [],
  );
}

function isOption(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

function lookUp(options: Options, written: string): [string, Option] | undefined {
  const long = written.startsWith("--");
  const word = written.slice(long ? 2 : 1);
  return Object.entries(options).find(([name, option]) => {
    if (option.type === "positional") return false;
    if (!long) return option.alias === word && word.length === 1;
    return name === word || (option.type === "boolean" && word === `no-${name}`);
  });
}
