// Takes a php-fpm INI file apart, line by line: php-fpm gives each physical line to PHP's INI parser
// alone, so nothing spans lines. By searching and not by patterns, for a line may be megabytes long.

import type { Place } from "../../fault.ts";
import { LONGEST_SHOWN } from "../place.ts";

export interface IniEntryLine {
  readonly kind: "entry";
  /** As written; names count in any case. */
  readonly name: string;
  /** What stands in the brackets of `env[PATH]`; null without brackets. */
  readonly key: string | null;
  /** All behind the equals sign. */
  readonly value: string;
  readonly where: Place;
}

export type IniLine =
  | IniEntryLine
  | { readonly kind: "section"; readonly name: string; readonly where: Place }
  | {
      readonly kind: "wrong";
      readonly problem: string;
      readonly hint: string;
      readonly where: Place;
    };

export function* iniLines(file: string, text: string): Generator<IniLine> {
  let at = text.startsWith("\ufeff") ? 1 : 0;
  for (let number = 1; at < text.length; number++) {
    const found = text.indexOf("\n", at);
    const end = found < 0 ? text.length : found;
    const line = text.slice(at, text[end - 1] === "\r" && end > at ? end - 1 : end);
    at = end + 1;
    const plain = line.trim();
    if (plain === "" || plain.startsWith(";")) continue;
    const column = line.length - line.trimStart().length + 1;
    const where: Place =
      line.length > LONGEST_SHOWN
        ? { file, line: number, column }
        : { file, line: number, column, text: line };
    yield lineOf(plain, where);
  }
}

function lineOf(line: string, where: Place): IniLine {
  if (line.startsWith("[")) return sectionOf(line, where);
  const equals = line.indexOf("=");
  if (equals < 0) return noEntry(line, where);
  const name = line.slice(0, equals).trim();
  const value = line.slice(equals + 1);
  if (name === "") return wrong("there is no name before the equals sign", where);
  const bracket = name.endsWith("]") ? name.indexOf("[") : -1;
  if (bracket < 0 || name.indexOf("]") < bracket)
    return { kind: "entry", name, key: null, value, where };
  const key = unquoted(name.slice(bracket + 1, -1).trim());
  return { kind: "entry", name: name.slice(0, bracket).trimEnd(), key, value, where };
}

function unquoted(text: string): string {
  const [quote] = text;
  const quoted = (quote === '"' || quote === "'") && text.length > 1 && text.endsWith(quote);
  return quoted ? text.slice(1, -1) : text;
}

function sectionOf(line: string, where: Place): IniLine {
  const close = line.indexOf("]");
  const behind = close < 0 ? "" : line.slice(close + 1).trimStart();
  const alone = close > 0 && (behind === "" || behind.startsWith(";"));
  const name = alone ? unquoted(line.slice(1, close).trim()) : null;
  if (name !== null && name !== "") return { kind: "section", name, where };
  return {
    kind: "wrong",
    problem: name === "" ? "the section has no name" : "this is no section",
    hint: "a section stands alone on its line: [global], or the name of a pool such as [www]",
    where,
  };
}

function noEntry(line: string, where: Place): IniLine {
  const hint = line.startsWith("#")
    ? "a comment begins with ; here"
    : "a setting is written as name = value, a comment begins with ;";
  return wrong("there is no equals sign in this line", where, hint);
}

function wrong(problem: string, where: Place, hint = "a setting is written as name = value") {
  return { kind: "wrong", problem, hint, where } as const;
}
