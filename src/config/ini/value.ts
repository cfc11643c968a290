// Reads one value as PHP's INI scanner does, which is no plain text: quotes, `${NAME}`, words such as
// on and none, constants, arithmetic, comments with `;`. Tried against php-fpm 8.2 case by case; what
// php-fpm cuts or turns into something else without a word is refused here.

import type { Environment } from "../default-places.ts";
import { constantText, expressionText, OPERATORS } from "./expression.ts";
import { quote, type Parsed } from "../settings/values.ts";

interface Scan {
  readonly text: string;
  readonly env: Environment;
  /** Where the text's last `}` is: behind it no variable is closed. */
  readonly lastBrace: number;
  at: number;
  readonly parts: Part[];
}

interface Part {
  text: string;
  /** Neither in quotes nor from a variable: words and signs in it have a meaning. */
  readonly plain: boolean;
}

const WORDS = new Map([
  ["on", "1"],
  ["yes", "1"],
  ["true", "1"],
  ["off", ""],
  ["no", ""],
  ["false", ""],
  ["none", ""],
  ["null", ""],
]);
const LONGEST_WORD = Math.max(...[...WORDS.keys()].map((word) => word.length));
const SPECIAL = new RegExp(`(?<!\\S)(?:${[...WORDS.keys()].join("|")})(?!\\S)`, "i");

/** The text that the value stands for. `text` is all that follows the equals sign. */
export function iniValue(text: string, env: Environment): Parsed<string> {
  if (text.includes("\ufffd")) return NOT_UTF8;
  const trimmed = text.trim();
  if (!MARKED.test(trimmed)) return meaning(trimmed);
  const scan = scanOf(trimmed, env);
  while (scan.at < trimmed.length && trimmed[scan.at] !== ";") {
    const problem = step(scan);
    if (problem !== null) return problem;
  }
  if (scan.at < trimmed.length && endsInDollar(scan.parts.at(-1)))
    return dollarBefore("a semicolon");
  const [first] = scan.parts;
  if (first === undefined) return { ok: "" };
  return first.plain && scan.parts.length === 1 ? meaning(first.text.trim()) : joined(scan.parts);
}

const NOT_UTF8 = { problem: "this value is not UTF-8", hint: "save the file as UTF-8" };

/** The text of a section's name: quotes and variables are read, but no word has a meaning of its own. */
export function iniSectionName(text: string, env: Environment): Parsed<string> {
  const scan = scanOf(text.trim(), env);
  while (scan.at < scan.text.length) {
    const problem = step(scan);
    if (problem !== null) return problem;
  }
  if (scan.parts.some((part) => part.plain && /\$$|\\/.test(part.text)))
    return {
      problem: "a backslash, or a dollar sign at the end, cannot stand there",
      hint: "leave it out, or put the name into single quotes",
    };
  return { ok: scan.parts.map((part) => part.text).join("") };
}

function scanOf(text: string, env: Environment): Scan {
  return { text, env, lastBrace: text.lastIndexOf("}"), at: 0, parts: [] };
}

type Problem = { readonly problem: string; readonly hint: string };
type Text = { readonly ok: string } | Problem;

const MARKED = /["'$=;]/;
/** The next character with a meaning; `$` alone has none. */
const MARK = /["'=;]|\$\{/g;
const BLANKS = /[ \t]*/y;

function step(scan: Scan): Problem | null {
  const next = nextMark(scan);
  if (next > scan.at) {
    scan.parts.push({ text: scan.text.slice(scan.at, next), plain: true });
    scan.at = next;
    return null;
  }
  switch (scan.text[scan.at]) {
    case '"':
      return quoted(scan);
    case "'":
      return literal(scan);
    case "$":
      return variable(scan);
    default:
      return {
        problem: "an equals sign cannot stand in a value without quotes",
        hint: `write ${quote(scan.text)}`,
      };
  }
}

function nextMark(scan: Scan): number {
  MARK.lastIndex = scan.at;
  return MARK.exec(scan.text)?.index ?? scan.text.length;
}

function quoted(scan: Scan): Problem | null {
  const { text } = scan;
  let end = scan.at + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  if (end >= text.length) return unclosed('"');
  const before = scan.parts.at(-1);
  if (endsInDollar(before)) return dollarBefore("a double quote");
  // Blanks around double quotes are dropped, as PHP does.
  if (before?.plain === true)
    scan.parts.splice(-1, 1, { text: before.text.trimEnd(), plain: true });
  const from = scan.at + 1;
  BLANKS.lastIndex = end + 1;
  scan.at = end + 1 + BLANKS.exec(text)![0].length;
  const inside = unescaped(scan, from, end);
  return "ok" in inside ? keep(scan, inside.ok) : inside;
}

/** PHP's scanner takes the sign behind a dollar sign along with it. */
function endsInDollar(part: Part | undefined): boolean {
  return part?.plain === true && part.text.endsWith("$");
}

function dollarBefore(what: string): Problem {
  const hint = "put the dollar sign into quotes";
  return { problem: `a dollar sign cannot stand right before ${what}`, hint };
}

/** Backslashes before double quotes, dollar signs and backslashes go, `${NAME}` is replaced. */
function unescaped({ text, env, lastBrace }: Scan, from: number, end: number): Text {
  let out = "";
  let start = from;
  for (let at = from; at < end; at++) {
    if (text[at] === "\\" && at + 1 < end && '"$\\'.includes(text[at + 1]!)) {
      out += text.slice(start, at);
      start = ++at;
    } else if (text[at] === "$" && text[at + 1] === "{" && at + 2 <= lastBrace) {
      const close = text.indexOf("}", at + 2);
      if (close >= end) continue;
      const value = variableValue(text.slice(at + 2, close), env);
      if ("problem" in value) return value;
      out += text.slice(start, at) + value.ok;
      start = close + 1;
      at = close;
    }
  }
  return { ok: out + text.slice(start, end) };
}

/**
 * What stands in for `${NAME}` or, as from PHP 8.3 on, `${NAME:-DEFAULT}`: what is between the braces is
 * given. php-fpm takes a variable that is not set for an empty text, which is never what was meant.
 */
function variableValue(inside: string, env: Environment): Text {
  const [, name = inside, fallback] = /^([^:]*):-(.*)$/s.exec(inside) ?? [];
  const value = env[name];
  if (value !== undefined && (value !== "" || fallback === undefined)) return { ok: value };
  if (fallback === undefined) return notSet(name);
  if (!/["'${\\]/.test(fallback)) return { ok: fallback };
  return {
    problem: `the default of the variable ${name} has quotes, a dollar sign or a backslash in it`,
    hint: `write a plain text behind \${${name}:-`,
  };
}

function notSet(name: string): Problem {
  return {
    problem: `the variable ${name} is not set in the environment of this command, so nothing would stand here`,
    hint: `set it, or say what stands in for it: \${${name}:-DEFAULT}`,
  };
}

const EMPTY = {
  problem: "php-fpm takes no file with two single quotes and nothing between them",
  hint: 'leave them out, or write ""',
};

function literal(scan: Scan): Problem | null {
  const end = scan.text.indexOf("'", scan.at + 1);
  if (end < 0) return unclosed("'");
  if (end === scan.at + 1) return EMPTY;
  if (endsInDollar(scan.parts.at(-1))) return dollarBefore("a single quote");
  const text = scan.text.slice(scan.at + 1, end);
  scan.at = end + 1;
  return keep(scan, text);
}

function variable(scan: Scan): Problem | null {
  if (endsInDollar(scan.parts.at(-1))) return dollarBefore("a variable");
  const close = scan.text.indexOf("}", scan.at);
  if (close >= 0) {
    const value = variableValue(scan.text.slice(scan.at + 2, close), scan.env);
    scan.at = close + 1;
    return "ok" in value ? keep(scan, value.ok) : value;
  }
  return {
    problem: "this variable has no closing brace",
    hint: "write ${NAME}, or put the value into single quotes",
  };
}

function keep(scan: Scan, text: string): null {
  const before = scan.parts.at(-1);
  if (before?.plain === false) before.text += text;
  else scan.parts.push({ text, plain: false });
  return null;
}

function joined(parts: readonly Part[]): Parsed<string> {
  let value = "";
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1;
    const read = part.plain ? plainText(last ? part.text.trimEnd() : part.text) : { ok: part.text };
    if (!("ok" in read)) return read;
    value += read.ok;
  }
  return { ok: value };
}

function unclosed(mark: string): Problem {
  const other = mark === '"' ? "'" : '"';
  return {
    problem: `this ${mark === '"' ? "double" : "single"} quote is not closed on its line`,
    hint: `each line stands alone; write the text between ${other} and ${other} if it holds a ${mark}`,
  };
}

/** More than one word, or something to calculate. */
const SEVERAL = /[|&^~!()\s]/;

function meaning(text: string): Parsed<string> {
  const word = text.length <= LONGEST_WORD ? WORDS.get(text.toLowerCase()) : undefined;
  if (word !== undefined) return { ok: word };
  const constant = constantText(text);
  if (constant !== null) return { ok: constant };
  const unknown = unknownConstant(text);
  if (unknown !== null) return unknown;
  if (!SEVERAL.test(text)) return { ok: text };
  if (!OPERATORS.test(text)) return plainText(text);
  const value = expressionText(text);
  return value === null ? nothingToCalculate(text) : { ok: value };
}

const CONSTANT = /(?<!\S)(?:PHP|DIRECTORY|PATH|M|INI|LC|LOG)_[A-Z0-9_]+(?!\S)/;

/** What is wrong where a constant stands that only PHP knows. */
function unknownConstant(text: string): Problem | null {
  const name = text.includes("_") ? CONSTANT.exec(text)?.[0] : undefined;
  if (name === undefined) return null;
  return {
    problem: `php-fpm would put the value of PHP's constant ${name} here, which is not known outside PHP`,
    hint: `write the value itself, or "${name}" in quotes for the name`,
  };
}

/** Text beside other text: words with a meaning cannot stand there, constants are replaced. */
function plainText(text: string): Parsed<string> {
  if (OPERATORS.test(text)) return nothingToCalculate(text);
  const unknown = unknownConstant(text);
  if (unknown !== null) return unknown;
  const special = SPECIAL.exec(text)?.[0];
  if (special === undefined)
    return { ok: text.replaceAll(/(?<!\S)E_[A-Z_]+(?!\S)/g, (word) => constantText(word) ?? word) };
  return {
    problem: `the word ${special} has a meaning of its own, and cannot stand beside others`,
    hint: "put the whole value into quotes",
  };
}

function nothingToCalculate(text: string): Problem {
  return {
    problem: `the characters | & ^ ~ ! ( ) calculate here, and ${quote(text)} is nothing to calculate`,
    hint: `write ${quote(text)}, in quotes`,
  };
}
