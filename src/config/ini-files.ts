// Reads a php-fpm INI file and all it includes, in order: an include stands for the lines of the
// files, so the section that the last of them ends in goes on behind it, as in php-fpm.

import { Glob } from "bun";
import { existsSync, readdirSync, statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { asFault, type Place } from "../fault.ts";
import type { Environment } from "./default-places.ts";
import { iniLines, type IniLine } from "./ini-lines.ts";
import { iniValue } from "./ini-value.ts";
import type { Problems } from "./problems.ts";
import { readSource } from "./source.ts";

/** One setting as it stands in a section. */
export interface IniItem {
  readonly name: string;
  readonly key: string | null;
  /** The text the value stands for; null when it is wrong, which has been said. */
  readonly value: string | null;
  readonly where: Place;
}

export interface IniSection {
  /** Null: [global], and what stands before any section. */
  readonly name: string | null;
  readonly where: Place;
  readonly items: IniItem[];
}

export interface IniFiles {
  readonly files: readonly string[];
  /** The global one first; a pool that is continued later is one section. */
  readonly sections: readonly IniSection[];
}

export interface IniReading {
  readonly problems: Problems;
  readonly env: Environment;
  /** Folder that relative patterns are relative to. */
  readonly prefix: string;
}

interface State {
  readonly files: string[];
  readonly sections: IniSection[];
  current: IniSection;
}

/** php-fpm gives up one level later; nobody nests that deep by intent. */
const DEEPEST = 5;

export async function readIniFiles(
  reading: IniReading,
  file: string,
  bytes: Uint8Array,
): Promise<IniFiles> {
  const global: IniSection = { name: null, where: { file }, items: [] };
  const state: State = { files: [file], sections: [global], current: global };
  await readLines(reading, state, file, bytes, 1);
  return state;
}

async function readLines(
  reading: IniReading,
  state: State,
  file: string,
  bytes: Uint8Array,
  depth: number,
): Promise<void> {
  // Bytes that are no UTF-8 may stand in comments; in a value they are refused below.
  for (const line of iniLines(file, new TextDecoder().decode(bytes))) {
    if (line.kind === "wrong") reading.problems.error(line.problem, line.where, line.hint);
    else if (line.kind === "section") state.current = sectionNamed(state, line.name, line.where);
    else if (line.name.toLowerCase() === "include" && line.key === null) {
      await include(reading, state, line, depth);
    } else state.current.items.push(itemOf(reading, line));
  }
}

function sectionNamed(state: State, name: string, where: Place): IniSection {
  if (name.toLowerCase() === "global") return state.sections[0]!;
  const known = state.sections.find((section) => section.name === name);
  if (known !== undefined) return known;
  const section = { name, where, items: [] };
  state.sections.push(section);
  return section;
}

type EntryLine = Extract<IniLine, { kind: "entry" }>;

function itemOf(reading: IniReading, { name, key, value, where }: EntryLine): IniItem {
  return { name, key, value: textOf(reading, labelOf({ name, key }), value, where), where };
}

/** The name as it is written: "env[PATH]". */
export function labelOf({ name, key }: { readonly name: string; readonly key: string | null }) {
  return key === null ? name : `${name}[${key}]`;
}

function textOf(reading: IniReading, name: string, value: string, where: Place): string | null {
  const wrong = (problem: string, hint?: string) => {
    reading.problems.error(`${name}: ${problem}`, where, hint);
    return null;
  };
  if (value.includes("\ufffd")) return wrong("this value is not UTF-8", "save the file as UTF-8");
  const read = iniValue(value, reading.env);
  return "ok" in read ? read.ok : wrong(read.problem, read.hint);
}

async function include(
  reading: IniReading,
  state: State,
  line: EntryLine,
  depth: number,
): Promise<void> {
  const pattern = textOf(reading, "include", line.value, line.where);
  if (pattern === null || pattern === "") return;
  if (depth >= DEEPEST) {
    const hint = "does a file include itself?";
    return reading.problems.error(
      `more than ${DEEPEST} files include each other`,
      line.where,
      hint,
    );
  }
  const found = matching(resolve(reading.prefix, pattern));
  if (found.length === 0) {
    const hint = isAbsolute(pattern)
      ? "correct it, or remove it"
      : `it is relative to ${reading.prefix}: --prefix DIR names another folder`;
    reading.problems.warn(`include: no file matches ${pattern}`, line.where, hint);
  }
  for (const file of found) await includeFile(reading, state, file, line.where, depth);
}

async function includeFile(
  reading: IniReading,
  state: State,
  file: string,
  where: Place,
  depth: number,
): Promise<void> {
  try {
    if (statSync(file).isFile() && statSync(file).size === 0) return; // as good as none
    const bytes = await readSource(file);
    if (!state.files.includes(file)) state.files.push(file);
    await readLines(reading, state, file, bytes, depth + 1);
  } catch (error) {
    const fault = asFault(error);
    reading.problems.error(`include of ${file}: ${fault.message}`, where, fault.hint);
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
