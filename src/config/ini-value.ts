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
  value: string;
  /** How much of it stood in quotes or came from a variable, up to its end: blanks there are kept. */
  kept: number;
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
  const scan: Scan = { text: text.trim(), env, at: 0, value: "", kept: 0 };
  while (scan.at < scan.text.length && scan.text[scan.at] !== ";") {
    const problem = step(scan);
    if (problem !== null) return problem;
  }
  const { value, kept } = scan;
  // Only what is plain all through can be a word with a meaning.
  if (kept === 0) return meaning(value.trim());
  return { ok: value.slice(0, kept) + value.slice(kept).trimEnd() };
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
    scan.value += plain[0];
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
  return keep(scan, scan.value.trimEnd() + inner);
}

function literal(scan: Scan): Problem | null {
  const found = take(scan, LITERAL);
  return found === null ? unclosed("'") : keep(scan, scan.value + found[1]!);
}

function variable(scan: Scan): Problem | null {
  const found = take(scan, VARIABLE);
  if (found !== null) return keep(scan, scan.value + (scan.env[found[1]!] ?? ""));
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

function keep(scan: Scan, value: string): null {
  scan.value = value;
  scan.kept = value.length;
  return null;
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
  if (![...OPERATORS].some((sign) => text.includes(sign))) return { ok: text };
  const value = expressionText(text);
  if (value !== null) return { ok: value };
  return {
    problem: `the characters | & ^ ~ ! ( ) calculate here, and ${quote(text)} is nothing to calculate`,
    hint: `write ${quote(text)}, in quotes`,
  };
}
