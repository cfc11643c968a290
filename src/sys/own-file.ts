// Small files of ours: written whole and renamed, so that they are never half there, and read only if nobody
// else can have written them. No link is followed at their name.

import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { Fault } from "../fault.ts";
import { othersMayWrite, isOurs, nameOf } from "./trust.ts";

const { O_WRONLY, O_RDONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Bytes; more is none of ours. */
const LONGEST = 64 * 1024 * 1024;

/** The name under which it is written first. */
export function unfinishedName(path: string): string {
  return `${path}.new`;
}

/** Replaces the file. Throws what the system says (ENOSPC, for instance); the old one is then still whole. */
export function writeOwnFile(path: string, text: string, mode: number): void {
  const unfinished = unfinishedName(path);
  // Left by one that was killed, or planted: it goes, and whatever it leads to stays.
  rmSync(unfinished, { force: true });
  const fd = openSync(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  try {
    writeFileSync(fd, text);
  } finally {
    closeSync(fd);
  }
  renameSync(unfinished, path);
}

/** What the file holds; null when there is none. Throws the Fault of one that others may have written. */
export function readOwnFile(path: string): string | null {
  let fd: number;
  try {
    // Without O_NONBLOCK a pipe would make open(2) itself wait.
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOENT") return null;
    if (code === "ELOOP") throw strange(path, "it is a link");
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > LONGEST) throw strange(path, "it is no small file");
    if (!isOurs(stat.uid)) throw strange(path, `it belongs to ${nameOf(stat.uid)}`);
    if (othersMayWrite(stat)) throw strange(path, "others may write it");
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

function strange(path: string, why: string): Fault {
  return new Fault(`this file is not believed: ${why}`, {
    where: path,
    hint: "remove it, and see who can write in its folder",
  });
}
