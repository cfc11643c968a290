// Finds and reads the files that `include` names. They may hold pools only, so that the settings of
// the supervisor stand in one file.

import { Glob } from "bun";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { asFault } from "../../fault.ts";
import type { Entry, PoolDraft } from "../draft.ts";
import { formatOf } from "../format.ts";
import { checkPoolCount } from "../rules/pool-count.ts";
import { originText, type Problems, type Where } from "../problems.ts";
import { readSource } from "../source.ts";
import { readToml, type TomlFile } from "./toml.ts";
import { strings } from "../settings/values.ts";

export interface Included {
  readonly files: readonly string[];
  readonly pools: readonly PoolDraft[];
}

/** All pools of the main file and of what it includes, each name once. */
export async function withIncluded(
  mainFile: string,
  main: TomlFile,
  problems: Problems,
): Promise<Included> {
  const files = [mainFile];
  const pools = [...main.pools];
  const entry = main.sections.supervisor.find(({ name }) => name === "include");
  for (const file of new Set(entry === undefined ? [] : await includedFiles(entry, problems))) {
    if (file === mainFile) continue;
    files.push(file);
    for (const pool of await poolsIn(file, entry!.where, problems)) pools.push(pool);
  }
  checkPoolCount(pools.length, mainFile);
  return { files, pools: unique(pools, problems) };
}

async function includedFiles(entry: Entry, problems: Problems): Promise<string[]> {
  const patterns = strings.parse(entry.raw, entry.base);
  if (!("ok" in patterns)) return []; // said when the section is read
  const found: string[] = [];
  for (const pattern of patterns.ok)
    for (const file of await matches(pattern, entry, problems)) found.push(file);
  return found;
}

async function matches(pattern: string, entry: Entry, problems: Problems): Promise<string[]> {
  const parts = pattern.split("/");
  const fixed = parts.findIndex((part) => SIGNS.test(part));
  if (fixed < 0) return [resolve(entry.base, pattern)];
  // Only the pattern's own signs count, not those in the name of the folder it is relative to.
  const above = parts.slice(0, fixed).map((part) => `${part}/`);
  const found: string[] = [];
  try {
    const names = new Glob(parts.slice(fixed).join("/")).scan({
      cwd: resolve(entry.base, above.join("")),
      absolute: true,
      // Links to files are wanted too, and "onlyFiles" leaves them out; through `**` they might go in circles.
      onlyFiles: false,
      followSymlinks: !pattern.includes("**"),
    });
    for await (const name of names) if (!isFolder(name)) found.push(name);
  } catch (error) {
    if (!isMissing(error)) {
      problems.error(`include "${pattern}": ${asFault(error).message}`, entry.where);
      return [];
    }
  }
  if (found.length === 0) noMatch(pattern, entry, problems);
  return found.toSorted();
}

const SIGNS = /[*?[\]{}]/;

/** No error: an empty folder may be filled later. But pools that are not there should surprise nobody. */
function noMatch(pattern: string, entry: Entry, problems: Problems): void {
  const hint = pattern.startsWith("/")
    ? "correct it, or remove it"
    : `it is relative to ${entry.base}`;
  problems.warn(`include: no file matches ${pattern}`, entry.where, hint);
}

/** A link that leads nowhere is none: reading it says so. */
function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

async function poolsIn(
  file: string,
  includedAt: Where,
  problems: Problems,
): Promise<readonly PoolDraft[]> {
  try {
    const bytes = await readSource(file);
    if (formatOf(file, bytes) !== "toml") {
      problems.error("an included file must be TOML", { file });
      return [];
    }
    const read = readToml(file, bytes, problems);
    for (const entry of [...Object.values(read.sections).flat(), ...read.defaults])
      onlyPools(entry, problems);
    return read.pools;
  } catch (error) {
    const fault = asFault(error);
    const inside = typeof fault.where === "object" && fault.where.line !== undefined;
    if (inside) problems.error(fault.message, fault.where, fault.hint);
    else problems.error(`include of ${file}: ${fault.message}`, includedAt);
    return [];
  }
}

function onlyPools(entry: Entry, problems: Problems): void {
  problems.error(
    `"${entry.label}" cannot stand in an included file, which may hold [pools.*] only`,
    entry.where,
    "move it to the main config file",
  );
}

function unique(pools: readonly PoolDraft[], problems: Problems): PoolDraft[] {
  const kept = new Map<string, PoolDraft>();
  for (const pool of pools) {
    const first = kept.get(pool.name);
    if (first === undefined) kept.set(pool.name, pool);
    else {
      problems.error(
        `pool "${pool.name}" is defined twice: also in ${originText(first.where)}`,
        pool.where,
        "give one of them another name",
      );
    }
  }
  return [...kept.values()];
}
