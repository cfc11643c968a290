// Small files of ours, read only if nobody else can have written them. No link is followed at their name.

import { Fault } from "../fault.ts";
import { closeFile, isPlainFile, openForReading, statusOfOpen, textOfOpen } from "./file.ts";
import { SysError } from "./libc.ts";
import { othersMayWrite, isOurs, nameOf } from "./trust.ts";

/** Bytes; more is none of ours. */
const LONGEST = 64 * 1024 * 1024;

/** What the file holds; null when there is none. Throws the Fault of one that others may have written. */
export function readOwnFile(path: string): string | null {
  let fd: number;
  try {
    fd = openForReading(path);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    if (error.code === "ENOENT") return null;
    if (error.code === "ELOOP") throw strange(path, "it is a link");
    throw error;
  }
  try {
    const stat = statusOfOpen(fd);
    if (!isPlainFile(stat) || stat.size > LONGEST) throw strange(path, "it is no small file");
    if (!isOurs(stat.uid)) throw strange(path, `it belongs to ${nameOf(stat.uid)}`);
    if (othersMayWrite(stat)) throw strange(path, "others may write it");
    return textOfOpen(fd);
  } finally {
    closeFile(fd);
  }
}

function strange(path: string, why: string): Fault {
  return new Fault(`this file is not believed: ${why}`, {
    where: path,
    hint: "remove it, and see who can write in its folder",
  });
}
