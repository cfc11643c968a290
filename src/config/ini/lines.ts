// The first step: the lines of one file as sections and values. php-fpm gives each physical line to
// PHP's INI parser alone, so nothing spans lines. By searching and not by patterns, for a line may be
// megabytes long.

import type { Place } from "../../fault.ts";
import type { Environment } from "../default-places.ts";
import type { PoolReport } from "../php-fpm/pool-rules.ts";
import type { PhpOfFpm } from "./php.ts";
import { LONGEST_SHOWN } from "../place.ts";
import { iniSectionName, iniValue } from "./value.ts";

/** What the reading of an INI file knows at every step. */
export interface IniReading extends PoolReport {
  /** Which PHP the pools are for. */
  readonly php: PhpOfFpm;
  readonly env: Environment;
  /** Folder that relative patterns and paths are relative to. */
  readonly prefix: string;
}

/** `NAME = VALUE` or `NAME[KEY] = VALUE`. */
export interface IniValueLine {
  readonly kind: "value";
  /** As written; names count in any case. */
  readonly name: string;
  /** What stands in the brackets of `env[PATH]`; null without brackets. */
  readonly key: string | null;
  /** What the text behind the equals sign stands for; null when it is wrong, which has been said. */
  readonly value: string | null;
  readonly where: Place;
}

/** `[NAME]`: what follows belongs to it. */
export interface IniSectionLine {
  readonly kind: "section";
  readonly name: string;
  readonly where: Place;
}

export type IniLine = IniSectionLine | IniValueLine;

/** The lines that say something; what is wrong with the others goes to the problems of `reading`. */
export function* iniLines(file: string, text: string, reading: IniReading): Generator<IniLine> {
  for (const { plain, where } of writtenLines(file, text)) {
    const line = plain.startsWith("[")
      ? sectionLine(plain, where, reading.env)
      : valueLine(plain, where, reading);
    if ("problem" in line) reading.problems.error(line.problem, where, line.hint);
    else yield line;
  }
}

/** The name as it is written: "env[PATH]". */
export function labelOf({ name, key }: Pick<IniValueLine, "name" | "key">): string {
  return key === null ? name : `${name}[${key}]`;
}

/** All lines but empty ones and comments. */
function* writtenLines(file: string, text: string): Generator<{ plain: string; where: Place }> {
  let at = text.startsWith("\ufeff") ? 1 : 0;
  for (let number = 1; at < text.length; number++) {
    const found = text.indexOf("\n", at);
    const end = found < 0 ? text.length : found;
    const line = text.slice(at, text[end - 1] === "\r" && end > at ? end - 1 : end);
    at = end + 1;
    const plain = line.trim();
    if (plain === "" || plain.startsWith(";")) continue;
    const place = { file, line: number, column: line.length - line.trimStart().length + 1 };
    yield { plain, where: line.length > LONGEST_SHOWN ? place : { ...place, text: line } };
  }
}

interface Wrong {
  readonly problem: string;
  readonly hint: string;
}

const SECTION_FORM =
  "a section stands alone on its line: [global], or the name of a pool such as [www]";

function sectionLine(line: string, where: Place, env: Environment): IniSectionLine | Wrong {
  const close = line.indexOf("]");
  const behind = close < 0 ? "" : line.slice(close + 1).trimStart();
  const alone = close > 0 && (behind === "" || behind.startsWith(";"));
  const read = alone ? iniSectionName(line.slice(1, close), env) : null;
  if (read !== null && "problem" in read)
    return { problem: `the section's name: ${read.problem}`, hint: read.hint ?? SECTION_FORM };
  const name = read?.ok ?? null;
  if (name !== null && name !== "") return { kind: "section", name, where };
  return {
    problem: name === "" ? "the section has no name" : "this is no section",
    hint: SECTION_FORM,
  };
}

const FORM = "a setting is written as name = value";

function valueLine(line: string, where: Place, reading: IniReading): IniValueLine | Wrong {
  const equals = line.indexOf("=");
  if (equals < 0) {
    const hint = line.startsWith("#")
      ? "a comment begins with ; here"
      : `${FORM}, a comment begins with ;`;
    return { problem: "there is no equals sign in this line", hint };
  }
  const written = line.slice(0, equals).trim();
  if (written === "") return { problem: "there is no name before the equals sign", hint: FORM };
  const named = { ...nameAndKey(written), where };
  return { kind: "value", ...named, value: valueOf(named, line.slice(equals + 1), reading) };
}

function nameAndKey(written: string): Pick<IniValueLine, "name" | "key"> {
  const bracket = written.endsWith("]") ? written.indexOf("[") : -1;
  if (bracket < 0 || written.indexOf("]") < bracket) return { name: written, key: null };
  const key = unquoted(written.slice(bracket + 1, -1).trim());
  return { name: written.slice(0, bracket).trimEnd(), key };
}

function unquoted(text: string): string {
  const [quote] = text;
  const quoted = (quote === '"' || quote === "'") && text.length > 1 && text.endsWith(quote);
  return quoted ? text.slice(1, -1) : text;
}

function valueOf(
  line: Pick<IniValueLine, "name" | "key" | "where">,
  text: string,
  { env, problems }: IniReading,
): string | null {
  const read = iniValue(text, env);
  if ("ok" in read) return read.ok;
  problems.error(`${labelOf(line)}: ${read.problem}`, line.where, read.hint);
  return null;
}
