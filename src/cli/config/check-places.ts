// What `check` looks at beside the pools: the supervisor's own log and control socket, which a start would
// stumble over before it comes to any pool.

import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Config } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import { findGroup, findUser } from "../../sys/users.ts";

/** What would keep the supervisor itself from starting, as far as it can be told without trying. */
export function checkPlaces({ log, admin }: Config): Fault[] {
  return [
    ...logFaults(log.file),
    ...missing("user", admin.owner, findUser),
    ...missing("group", admin.group, findGroup),
  ];
}

function logFaults(file: string | null): Fault[] {
  if (file === null) return [];
  if (isFolder(file)) {
    const hint = "name a file in it";
    return [new Fault("the log file is a directory", { where: file, hint })];
  }
  const folder = dirname(file);
  if (isFolder(folder)) return [];
  const message = `the log file cannot be opened: the directory ${folder} does not exist`;
  return [new Fault(message, { where: file, hint: `create it: mkdir -p ${folder}` })];
}

function missing(kind: "user" | "group", name: string | null, find: (name: string) => unknown) {
  if (name === null || find(name) !== null) return [];
  const setting = kind === "user" ? "owner" : "group";
  return [
    new Fault(`there is no ${kind} "${name}" to give the control socket to`, {
      where: `[admin] ${setting}`,
      hint: `create it, or correct [admin] ${setting}`,
    }),
  ];
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // Not there, or not to be seen by this user.
  }
}
