// The second step: the lines of a php-fpm INI file and of all it includes, in one row. An include stands
// for the lines of the files, so the section that the last of them ends in goes on behind it, as in
// php-fpm.

import { Glob } from "bun";
import { existsSync, readdirSync, statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { asFault, type Place } from "../../fault.ts";
import { iniLines, type IniLine, type IniReading, type IniValueLine } from "./lines.ts";
import { readSource } from "../source.ts";

/** php-fpm gives up one level later; nobody nests that deep by intent. */
const DEEPEST = 5;
/** As many as there may be pools; files that name others many times would make it any number. */
const MOST_FILES = 10_000;

interface Walk {
  readonly reading: IniReading;
  /** Gets each line, in order. */
  readonly take: (line: IniLine) => void;
  /** Those read so far. */
  readonly files: Set<string>;
  /** How many times one was read. */
  count: number;
}

/** Hands each line to `take`, and returns all files that were read. */
export async function eachIniLine(
  reading: IniReading,
  file: string,
  bytes: Uint8Array,
  take: (line: IniLine) => void,
): Promise<readonly string[]> {
  const walk: Walk = { reading, take, files: new Set([file]), count: 1 };
  await linesOf(walk, [file], bytes);
  return [...walk.files];
}

/** `chain`: the file, and before it those that led to it. */
async function linesOf(walk: Walk, chain: readonly string[], bytes: Uint8Array): Promise<void> {
  const file = chain.at(-1)!;
  // Bytes that are no UTF-8 may stand in comments; in a value they are refused.
  for (const line of iniLines(file, new TextDecoder().decode(bytes), walk.reading)) {
    if (isInclude(line)) await include(walk, line, chain);
    else walk.take(line);
  }
}

function isInclude(line: IniLine): line is IniValueLine {
  return line.kind === "value" && line.key === null && line.name.toLowerCase() === "include";
}

async function include(
  walk: Walk,
  { value: pattern, where }: IniValueLine,
  chain: readonly string[],
): Promise<void> {
  const { problems, prefix } = walk.reading;
  if (pattern === null || pattern === "") return;
  if (chain.length >= DEEPEST) {
    const hint = "does a file include itself?";
    return problems.error(`more than ${DEEPEST} files include each other`, where, hint);
  }
  const found = matching(resolve(prefix, pattern));
  if (found.length === 0) {
    const hint = isAbsolute(pattern)
      ? "correct it, or remove it"
      : `it is relative to ${prefix}: --prefix DIR names another folder`;
    problems.warn(`include: no file matches ${pattern}`, where, hint);
  }
  for (const file of found) await includeFile(walk, file, where, chain);
}

async function includeFile(
  walk: Walk,
  file: string,
  where: Place,
  chain: readonly string[],
): Promise<void> {
  const { problems } = walk.reading;
  if (chain.includes(file)) {
    const hint = `remove it, or name other files: php-fpm reads it ${DEEPEST} times over, and then gives up`;
    return problems.error(`include of ${file}: it is being read already`, where, hint);
  }
  if (walk.count === MOST_FILES)
    problems.error(
      `more than ${MOST_FILES} files are included`,
      where,
      "does one name many others?",
    );
  if (walk.count++ >= MOST_FILES) return;
  try {
    if (statSync(file).isFile() && statSync(file).size === 0) return; // as good as none
    const bytes = await readSource(file);
    walk.files.add(file);
    await linesOf(walk, [...chain, file], bytes);
  } catch (error) {
    const fault = asFault(error);
    problems.error(`include of ${file}: ${fault.message}`, where, fault.hint);
  }
}

/** As glob(3): sorted, `*` matches no hidden file, a pattern without signs names one file. */
function matching(pattern: string): string[] {
  let found = ["/"];
  for (const part of pattern.split("/").filter((p) => p !== "")) {
    found = found.flatMap((folder) => matchesIn(folder, part));
  }
  return found;
}

function matchesIn(folder: string, part: string): string[] {
  if (!/[*?[]/.test(part)) {
    const path = resolve(folder, part);
    return existsSync(path) ? [path] : [];
  }
  const glob = new Glob(part.replaceAll(/[{}]|^!/g, "\\$&"));
  const hidden = part.startsWith(".");
  return namesIn(folder)
    .filter((name) => glob.match(name) && (hidden || !name.startsWith(".")))
    .toSorted()
    .map((name) => resolve(folder, name));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Not a folder, or not ours to look into: nothing matches there.
    return [];
  }
}
