// Writes what `migrate` makes: new files only, and all of them or none.

import {
  mkdirSync,
  readdirSync,
  existsSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { MAIN_FILE, type MigratedFile, POOLS_FOLDER } from "../../config/derived/migrated.ts";
import { asFault, Fault } from "../../fault.ts";
import { loadGivenConfig } from "./load-config.ts";

/** Throws the Fault of a file that is in the way. */
export function checkNothingIsThere(folder: string, files: readonly MigratedFile[]): void {
  const pools = join(folder, POOLS_FOLDER);
  const others = namesIn(pools).filter((name) => name.endsWith(".toml"));
  // Another file of pools there would be read along.
  const paths = [
    ...files.map(({ name }) => join(folder, name)).filter((path) => existsSync(path)),
    ...others.map((name) => join(pools, name)),
  ];
  const [first] = paths;
  if (first === undefined) return;
  throw new Fault("this file exists already; nothing was written", {
    where: first,
    hint: "remove it, or choose another folder with --to DIR",
  });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Not there, no folder, or not ours to look into: that shows when it is written to.
    return [];
  }
}

/** All of them, or none. Each can be read by whom what it is made from can. */
export async function writeAll(folder: string, files: readonly MigratedFile[]): Promise<void> {
  const undo: (() => void)[] = [];
  try {
    for (const path of [folder, join(folder, POOLS_FOLDER)]) makeFolder(path, undo);
    for (const { name, text, from } of files) {
      const path = join(folder, name);
      const mode = from === null ? 0o600 : statSync(from).mode & 0o666;
      writeFileSync(path, text, { flag: "wx", mode });
      undo.push(() => rmSync(path, { force: true }));
    }
    await loadGivenConfig({ config: join(folder, MAIN_FILE) }, null);
  } catch (error) {
    for (const step of undo.toReversed()) step();
    const fault = asFault(error);
    throw new Fault("the config cannot be written; nothing of it was left", {
      where: folder,
      hint: "make room, or name a folder that this user may write in with --to DIR",
      cause: fault,
    });
  }
}

function makeFolder(path: string, undo: (() => void)[]): void {
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined) return;
  undo.push(() => {
    // The new ones only, from the innermost outwards.
    for (let each = path; each.length >= first.length; each = dirname(each)) rmdirSync(each);
  });
}
