// What a value may look like, for every format at once: each type reads what TOML gives (a string, a
// number …) and prints TOML. The readers of formats that have only text turn it into that first, so that
// a duration or a mode is understood in one place only.

import { isAbsolute, resolve } from "node:path";

export type Parsed<T> =
  | { readonly ok: T }
  | {
      readonly problem: string;
      readonly hint?: string;
      /** In a table of names and values: the name that it is about. */
      readonly key?: string;
    };

/** How the text of a format that has only text is taken apart before `parse` sees it. */
export type TextForm =
  "text" | "integer" | "boolean" | "time" | "list" | "core" | "path" | "address" | "pairs";

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface ValueType<T> {
  /** Completes "expected …". */
  readonly expected: string;
  readonly form: TextForm;
  /** Whether it is kept where each name of a table stands. */
  readonly keepsPlaces?: true;
  /** What an editor can check of it, as JSON Schema; `parse` is stricter. */
  readonly schema: JsonSchema;
  /** `base` is the folder that relative paths are relative to. */
  parse(raw: unknown, base: string): Parsed<T>;
  /** The value as TOML. */
  print(value: T): string;
}

/** A string as TOML; JSON's escapes are a subset of TOML's. */
export function quote(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}

/** "a string (\"abc\")", "an integer (12)": what stands there instead of what was expected. */
export function describe(raw: unknown): string {
  if (typeof raw === "string") return `a string (${quote(shorten(raw))})`;
  if (typeof raw === "number")
    return `${Number.isInteger(raw) ? "an integer" : "a number"} (${raw})`;
  if (typeof raw === "bigint") return `an integer (${raw})`;
  if (typeof raw === "boolean") return `a boolean (${raw})`;
  if (Array.isArray(raw)) return raw.length === 0 ? "an empty array" : "an array";
  if (raw instanceof Date) return "a date";
  return "a table";
}

export function unexpected(expected: string, raw: unknown): { problem: string } {
  return { problem: `expected ${expected}, but this is ${describe(raw)}` };
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A string that is neither empty nor padded with blanks, which nobody means. */
export function plainString(expected: string, raw: unknown): Parsed<string> {
  if (typeof raw !== "string") return unexpected(expected, raw);
  if (raw === "") return { problem: `expected ${expected}, but this is empty` };
  if (raw !== raw.trim()) {
    return {
      problem: `${quote(shorten(raw))} begins or ends with blanks`,
      hint: `write ${quote(raw.trim())}, without them`,
    };
  }
  if (raw.includes("\0")) return { problem: "a NUL character cannot stand here" };
  return { ok: raw };
}

/** Any text, the empty one included. */
export const text: ValueType<string> = {
  expected: "a string",
  form: "text",
  schema: { type: "string" },
  parse: (raw) =>
    typeof raw !== "string"
      ? unexpected("a string", raw)
      : raw.includes("\0")
        ? { problem: "a NUL character cannot stand here" }
        : { ok: raw },
  print: quote,
};

/** A name: of a user, a group, a runtime. */
export function word(expected: string): ValueType<string> {
  return {
    expected,
    form: "text",
    schema: { type: "string", minLength: 1 },
    parse: (raw) => plainString(expected, raw),
    print: quote,
  };
}

export const user = word("the name or number of a user");
export const group = word("the name or number of a group");

export function integer(least: number, most: number): ValueType<number> {
  const expected = `an integer from ${least} to ${most}`;
  return {
    expected,
    form: "integer",
    schema: { type: "integer", minimum: least, maximum: most },
    parse(raw) {
      if (typeof raw !== "number" || !Number.isInteger(raw)) return unexpected(expected, raw);
      return raw < least || raw > most
        ? { problem: `expected ${expected}, but this is ${raw}` }
        : { ok: raw };
    },
    print: String,
  };
}

export const boolean: ValueType<boolean> = {
  expected: "true or false",
  form: "boolean",
  schema: { type: "boolean" },
  parse: (raw) =>
    typeof raw === "boolean" ? { ok: raw } : unexpected("true or false (without quotes)", raw),
  print: String,
};

export function oneOf<const W extends string>(words: readonly W[]): ValueType<W> {
  const expected = `one of ${words.map(quote).join(", ")}`;
  return {
    expected,
    form: "text",
    schema: { enum: words },
    parse(raw) {
      const found = words.find((candidate) => candidate === raw);
      return found === undefined ? unexpected(expected, raw) : { ok: found };
    },
    print: quote,
  };
}

/** Permission bits, in octal and in quotes: TOML has no number with a leading zero. */
export const mode: ValueType<number> = {
  expected: 'an octal mode such as "0660"',
  form: "text",
  schema: { type: "string", pattern: "^0?[0-7]{1,3}$" },
  parse(raw) {
    if (typeof raw === "number") return { ...unexpected(mode.expected, raw), hint: modeHint(raw) };
    if (typeof raw !== "string" || !/^0?[0-7]{1,3}$/.test(raw))
      return unexpected(mode.expected, raw);
    return { ok: Number.parseInt(raw, 8) };
  },
  print: (value) => `"${value.toString(8).padStart(4, "0")}"`,
};

/** 660 was meant as it is written, 432 can only be told from 0o660 by whoever wrote it. */
function modeHint(raw: number): string {
  const written = [String(raw), raw.toString(8)]
    .filter((digits) => /^[0-7]{1,3}$/.test(digits))
    .map((digits) => quote(digits.padStart(4, "0")));
  const [first = '"0660"', second = first] = written;
  const otherwise = second === first ? "" : `, or ${second} if 0o${raw.toString(8)} was meant`;
  return `write it in quotes, so that it is read as octal: ${first}${otherwise}`;
}

export const urlPath: ValueType<string> = {
  expected: 'the path of a URL ("/ping")',
  form: "text",
  schema: { type: "string", pattern: "^/" },
  parse(raw) {
    const parsed = plainString(this.expected, raw);
    if ("problem" in parsed || parsed.ok.startsWith("/")) return parsed;
    return {
      problem: `${quote(parsed.ok)} does not begin with a slash`,
      hint: `write ${quote(`/${parsed.ok}`)}`,
    };
  },
  print: quote,
};

/** A path, made absolute. */
export const path: ValueType<string> = {
  expected: "a path",
  form: "path",
  schema: { type: "string", minLength: 1 },
  parse(raw, base) {
    const plain = plainString("a path", raw);
    return "ok" in plain ? { ok: resolve(base, plain.ok) } : plain;
  },
  print: quote,
};

/** Paths, made absolute. */
export const paths: ValueType<readonly string[]> = {
  expected: "an array of paths",
  form: "list",
  schema: { type: "array", items: { type: "string", minLength: 1 } },
  parse(raw, base) {
    if (!Array.isArray(raw)) return unexpected(this.expected, raw);
    const all = raw.map((each: unknown) => path.parse(each, base));
    const wrong = all.find((each) => "problem" in each);
    return wrong ?? { ok: all.flatMap((each) => ("ok" in each ? [each.ok] : [])) };
  },
  print: (value) => `[${value.map(quote).join(", ")}]`,
};

/** Names or numbers of users, or of groups. */
export const names: ValueType<readonly string[]> = {
  expected: "an array of names",
  form: "list",
  schema: { type: "array", items: { type: "string", minLength: 1 } },
  parse(raw) {
    if (!Array.isArray(raw)) return unexpected(this.expected, raw);
    const all = raw.map((each: unknown) => plainString("a name", each));
    const wrong = all.find((each) => "problem" in each);
    return wrong ?? { ok: all.flatMap((each) => ("ok" in each ? [each.ok] : [])) };
  },
  print: (value) => `[${value.map(quote).join(", ")}]`,
};

/** A path, or the word "stderr", which is null in the model. */
export const logFile: ValueType<string | null> = {
  expected: 'a path or "stderr"',
  form: "path",
  schema: { type: "string", minLength: 1 },
  parse(raw, base) {
    if (raw === "stderr") return { ok: null };
    if (raw !== "stdout" && raw !== "syslog") return path.parse(raw, base);
    const hint = `"stderr" goes to the journal under systemd, and to the log of a container; a file of that name is "./${raw}"`;
    return { problem: `the log does not go to ${raw}`, hint };
  },
  print: (value) => quote(value ?? "stderr"),
};

/** Program and arguments. A program with a slash is a path, one without is looked up in PATH. */
export const command: ValueType<readonly string[]> = {
  expected: "an array of strings: the program and its arguments",
  form: "text",
  schema: { type: "array", items: { type: "string" }, minItems: 1 },
  parse(raw, base) {
    if (typeof raw === "string") {
      const shown = raw.trim().slice(0, 1000);
      const words = shown.split(/\s+/).map(quote).join(", ");
      return { ...unexpected(command.expected, raw), hint: `write command = [${words}]` };
    }
    const words = strings.parse(raw, base);
    if (!("ok" in words)) return words;
    const [program, ...rest] = words.ok;
    if (program === undefined) return unexpected(command.expected, raw);
    const plain = plainString("a program", program);
    if (!("ok" in plain)) return plain;
    const found =
      plain.ok.includes("/") && !isAbsolute(plain.ok) ? resolve(base, plain.ok) : plain.ok;
    return { ok: [found, ...rest] };
  },
  print: (value) => strings.print(value),
};

/** Far more than a program takes as arguments, or a filter as addresses. */
const MOST_STRINGS = 10_000;

export const strings: ValueType<readonly string[]> = {
  expected: "an array of strings",
  form: "list",
  schema: { type: "array", items: { type: "string" } },
  parse(raw) {
    if (!Array.isArray(raw)) return unexpected(strings.expected, raw);
    if (raw.length > MOST_STRINGS)
      return { problem: `there are ${raw.length} strings in it, and ${MOST_STRINGS} are possible` };
    const wrong = raw.findIndex((item) => typeof item !== "string" || item.includes("\0"));
    if (wrong < 0) return { ok: raw as string[] };
    return {
      problem: `expected ${strings.expected}, but item ${wrong + 1} is ${describe(raw[wrong])}`,
    };
  },
  print: (value) => `[${value.map(quote).join(", ")}]`,
};
