// Takes a php-fpm INI file apart, line by line: php-fpm gives each physical line to PHP's INI parser
// alone, so nothing spans lines.

import type { Place } from "../fault.ts";

export type IniLine =
  | { readonly kind: "section"; readonly name: string; readonly where: Place }
  | {
      readonly kind: "entry";
      /** As written; names count in any case. */
      readonly name: string;
      /** What stands in the brackets of `env[PATH]`; null without brackets. */
      readonly key: string | null;
      /** All behind the equals sign. */
      readonly value: string;
      readonly where: Place;
    }
  | {
      readonly kind: "wrong";
      readonly problem: string;
      readonly hint: string;
      readonly where: Place;
    };

/** A longer line would hide the message it is to explain. */
const LONGEST_SHOWN = 300;

export function* iniLines(file: string, text: string): Generator<IniLine> {
  let number = 0;
  for (const raw of text.replace(/^\ufeff/, "").split("\n")) {
    number++;
    const line = raw.replace(/\r$/, "");
    const start = line.length - line.trimStart().length;
    const plain = line.trim();
    if (plain === "" || plain.startsWith(";")) continue;
    const place = { file, line: number, column: start + 1 };
    yield lineOf(plain, line.length > LONGEST_SHOWN ? place : { ...place, text: line });
  }
}

function lineOf(line: string, where: Place): IniLine {
  if (line.startsWith("[")) return sectionOf(line, where);
  const equals = line.indexOf("=");
  if (equals < 0) return noEntry(line, where);
  const name = line.slice(0, equals).trim();
  const array = /^([^[\]]*?)\s*\[\s*(.*?)\s*\]$/.exec(name);
  const value = line.slice(equals + 1);
  if (name === "") return wrong("there is no name before the equals sign", where);
  if (array === null) return { kind: "entry", name, key: null, value, where };
  const key = array[2]!.replace(/^(["'])(.*)\1$/, "$2");
  return { kind: "entry", name: array[1]!, key, value, where };
}

function sectionOf(line: string, where: Place): IniLine {
  const found = /^\[([^\]]*)\]\s*(?:;.*)?$/.exec(line);
  const name = found?.[1]?.trim().replace(/^(["'])(.*)\1$/, "$2");
  if (name !== undefined && name !== "") return { kind: "section", name, where };
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
