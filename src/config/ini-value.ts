// Reads one value as PHP's INI scanner does, which is no plain text: quotes, `${NAME}`, words such as
// on and none, constants, arithmetic, comments with `;`. Tried against php-fpm 8.2 case by case; what
// php-fpm cuts or turns into something else without a word is refused here.

import type { Environment } from "./default-places.ts";
import { constantText, expressionText, OPERATORS } from "./ini-expression.ts";
import { quote, type Parsed } from "./values.ts";

interface Scan {
  readonly text: string;
  readonly env: Environment;
  at: number;
  readonly parts: Part[];
}

interface Part {
  readonly text: string;
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

/** The text that the value stands for. `text` is all that follows the equals sign. */
export function iniValue(text: string, env: Environment): Parsed<string> {
  const scan: Scan = { text: text.trim(), env, at: 0, parts: [] };
  while (scan.at < scan.text.length && scan.text[scan.at] !== ";") {
    const problem = step(scan);
    if (problem !== null) return problem;
  }
  const [first, ...more] = scan.parts;
  if (first === undefined) return { ok: "" };
  return first.plain && more.length === 0 ? meaning(first.text.trim()) : joined(scan.parts);
}

type Problem = { readonly problem: string; readonly hint: string };

/** All up to the next character with a meaning; `$` alone has none. */
const PLAIN = /(?:[^"'$=;]+|\$(?!\{))+/y;
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"[ \t]*/y;
const LITERAL = /'([^']*)'/y;
const VARIABLE = /\$\{([^}]*)\}/y;

function step(scan: Scan): Problem | null {
  const plain = take(scan, PLAIN);
  if (plain !== null) {
    scan.parts.push({ text: plain[0], plain: true });
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

function quoted(scan: Scan): Problem | null {
  const found = take(scan, QUOTED);
  if (found === null) return unclosed('"');
  const inner = found[1]!.replaceAll(/\\(["'\\])|\$\{([^}]*)\}/g, (_, escaped, name) =>
    escaped === undefined ? (scan.env[name] ?? "") : escaped,
  );
  // Blanks around double quotes are dropped, as PHP does.
  const before = scan.parts.at(-1);
  if (before?.plain === true && before.text.endsWith("$")) {
    const hint = "put the dollar sign into the quotes";
    return { problem: "a dollar sign cannot stand right before a double quote", hint };
  }
  if (before?.plain === true)
    scan.parts.splice(-1, 1, { text: before.text.trimEnd(), plain: true });
  return keep(scan, inner);
}

function literal(scan: Scan): Problem | null {
  const found = take(scan, LITERAL);
  return found === null ? unclosed("'") : keep(scan, found[1]!);
}

function variable(scan: Scan): Problem | null {
  const found = take(scan, VARIABLE);
  if (found !== null) return keep(scan, scan.env[found[1]!] ?? "");
  return {
    problem: "this variable has no closing brace",
    hint: "write ${NAME}, or put the value into single quotes",
  };
}

function take(scan: Scan, pattern: RegExp): RegExpExecArray | null {
  pattern.lastIndex = scan.at;
  const found = pattern.exec(scan.text);
  scan.at += found?.[0].length ?? 0;
  return found;
}

function keep(scan: Scan, text: string): null {
  scan.parts.push({ text, plain: false });
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

function meaning(text: string): Parsed<string> {
  const word = WORDS.get(text.toLowerCase());
  if (word !== undefined) return { ok: word };
  const constant = constantText(text);
  if (constant !== null) return { ok: constant };
  if (/^(?:PHP|DIRECTORY|PATH|M|INI|LC|LOG)_[A-Z0-9_]+$/.test(text)) {
    return {
      problem: `php-fpm would put the value of PHP's constant ${text} here, which is not known outside PHP`,
      hint: `write the value itself, or "${text}" in quotes for the name`,
    };
  }
  if (![...OPERATORS].some((sign) => text.includes(sign))) return plainText(text);
  const value = expressionText(text);
  return value === null ? nothingToCalculate(text) : { ok: value };
}

/** Text beside other text: words with a meaning cannot stand there, constants are replaced. */
function plainText(text: string): Parsed<string> {
  if ([...OPERATORS].some((sign) => text.includes(sign))) return nothingToCalculate(text);
  const words = text.split(/(\s+)/);
  const special = words.find((word) => WORDS.has(word.toLowerCase()));
  if (special === undefined)
    return { ok: words.map((word) => constantText(word) ?? word).join("") };
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
