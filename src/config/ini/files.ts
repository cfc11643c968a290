// Reads a php-fpm INI file and all it includes, in order: an include stands for the lines of the
// files, so the section that the last of them ends in goes on behind it, as in php-fpm.

import { Glob } from "bun";
import { existsSync, readdirSync, statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { asFault, type Place } from "../../fault.ts";
import { iniLines, type IniEntryLine } from "./lines.ts";
import { IniSection, type IniReading } from "./section.ts";
import { iniText } from "./value.ts";
import { readSource } from "../source.ts";

export interface IniFiles {
  readonly files: readonly string[];
  readonly global: IniSection;
  /** A pool that is continued later is one section. */
  readonly pools: readonly IniSection[];
}

interface State {
  readonly files: string[];
  readonly global: IniSection;
  readonly pools: Map<string, IniSection>;
  current: IniSection;
}

/** php-fpm gives up one level later; nobody nests that deep by intent. */
const DEEPEST = 5;

export async function readIniFiles(
  reading: IniReading,
  file: string,
  bytes: Uint8Array,
): Promise<IniFiles> {
  const global = new IniSection(reading, null, { file });
  const state: State = { files: [file], global, pools: new Map(), current: global };
  await readLines(reading, state, file, bytes, 1);
  return { files: state.files, global, pools: [...state.pools.values()] };
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
    else if (line.kind === "section") state.current = sectionNamed(reading, state, line);
    else if (line.key === null && line.name.toLowerCase() === "include") {
      await include(reading, state, line, depth);
    } else state.current.add(line);
  }
}

function sectionNamed(
  reading: IniReading,
  { global, pools }: State,
  { name, where }: { readonly name: string; readonly where: Place },
): IniSection {
  if (name.toLowerCase() === "global") return global;
  const section = pools.get(name) ?? new IniSection(reading, name, where);
  pools.set(name, section);
  return section;
}

async function include(
  reading: IniReading,
  state: State,
  line: IniEntryLine,
  depth: number,
): Promise<void> {
  const pattern = iniText(line, reading.env, reading.problems);
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
