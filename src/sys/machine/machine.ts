// What is asked of this machine (is there such a user, such a folder?), each question with the one
// wording of its answer: a check, a start and a reload say the same, and the fault at the last moment does.

import { statSync, type Stats } from "node:fs";
import { Fault } from "../../fault.ts";
import { findGroup, findUser, type User } from "./users.ts";

/** Something that this machine has not, and what to do about it. */
export interface Lack {
  readonly message: string;
  readonly hint: string;
}

/** null: there is one. The same for each question below. */
export function userLack(name: string): Lack | null {
  return findUser(name) === null ? nobody("user", name) : null;
}

export function groupLack(name: string): Lack | null {
  return findGroup(name) === null ? nobody("group", name) : null;
}

export function folderLack(path: string): Lack | null {
  if (statOf(path)?.isDirectory() === true) return null;
  return { message: `${path} is not a directory`, hint: "create it, or name another one" };
}

export function fileLack(path: string): Lack | null {
  if (statOf(path)?.isFile() === true) return null;
  return { message: `there is no file ${path}`, hint: "create it, or name another one" };
}

/** The user, where there must be one. Throws the Fault that there is none; `where` names it. */
export function neededUser(name: string, where: string): User {
  return findUser(name) ?? refuse(nobody("user", name), where);
}

/** The id of the group, likewise. */
export function neededGroup(name: string, where: string): number {
  return findGroup(name) ?? refuse(nobody("group", name), where);
}

export function existsLack(path: string): Lack | null {
  if (statOf(path) !== null) return null;
  return { message: `there is no ${path}`, hint: "create it, or name another one" };
}

export function lackFault({ message, hint }: Lack, where: string): Fault {
  return new Fault(message, { where, hint });
}

/** For a path that a socket is to have. */
export function notASocket(path: string): Fault {
  return new Fault("the path of the socket is taken by something that is not a socket", {
    where: path,
    hint: "move it away, or choose another path for the socket",
  });
}

function nobody(kind: "user" | "group", name: string): Lack {
  return {
    message: `there is no ${kind} "${name}" on this machine`,
    hint: `create it with ${kind}add(8), or name another ${kind}`,
  };
}

function refuse(lack: Lack, where: string): never {
  throw lackFault(lack, where);
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null; // missing, or not ours to look at: then it is no use
  }
}
