// The settings files of groups, in the state directory: written before a group's program starts, removed with
// the group. They may hold passwords. One that a supervisor left which was killed goes at the next start.

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../fault.ts";
import { writeOwnFile } from "../sys/replace-file.ts";

const PREFIX = "settings-";
const OWNER_ONLY = 0o600;

let written = 0;

/** Writes it under a name of its own and returns the path. Throws a Fault when that cannot be. */
export function writeSettings(stateDir: string, pool: string, text: string): string {
  const name = `${PREFIX}${pool.replace(/[^\w.-]/g, "_")}-${process.pid}-${++written}.conf`;
  const path = join(stateDir, name);
  try {
    writeOwnFile(path, text, OWNER_ONLY);
  } catch (error) {
    throw new Fault("cannot write the settings of the workers", {
      where: path,
      hint: "make room or give the right to write in the state directory",
      cause: error,
    });
  }
  return path;
}

export function removeSettings(path: string): void {
  rmSync(path, { force: true });
}

/** Of a supervisor that was killed. Its workers have read theirs. */
export function removeLeftSettings(stateDir: string): void {
  for (const name of readdirSync(stateDir))
    if (name.startsWith(PREFIX)) removeSettings(join(stateDir, name));
}
