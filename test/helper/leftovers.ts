// What a test left behind. Workers run with a cleaned environment and outlive their parents, so a
// process belongs to a test by what it holds: the test's mark in its environment, the test's folder in
// its command line, program, working directory or open files, or one of the test's sockets.

import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  alive,
  allPids,
  commandOf,
  descriptorsOf,
  procLink,
  procText,
  tcpListeners,
  unixListeners,
} from "./processes.ts";

/** The variable that marks everything a test starts. */
export const MARK = "FCGIVISOR_TEST_DIR";

/** Where a supervisor of root's leaves word of its socket, whatever its config says. */
const POINTERS = "/run/fcgivisor/configs";

/** Processes of the test that still live, its own runner not counted. */
export function leftoverPids(dir: string, ports: readonly number[]): number[] {
  const sockets = new Set(
    [...ports.flatMap(tcpListeners), ...unixListeners(dir)].map((inode) => `socket:[${inode}]`),
  );
  return allPids().filter((pid) => pid !== process.pid && alive(pid) && belongs(pid, dir, sockets));
}

function belongs(pid: number, dir: string, sockets: ReadonlySet<string>): boolean {
  const inside = (path: string): boolean => path === dir || path.startsWith(`${dir}/`);
  if (procText(pid, "environ").includes(`${MARK}=${dir}\0`)) return true;
  if (procText(pid, "cmdline").includes(`${dir}/`)) return true;
  if (["cwd", "root", "exe"].some((name) => inside(procLink(pid, name)))) return true;
  for (const target of descriptorsOf(pid).values()) {
    if (inside(target) || sockets.has(target)) return true;
  }
  return false;
}

/** Everything left, as lines for a person; empty when the test cleaned up after itself. */
export function leftovers(dir: string, ports: readonly number[]): string[] {
  return [
    ...leftoverPids(dir, ports).map((pid) => `process ${pid}: ${commandOf(pid).join(" ")}`),
    ...ports
      .filter((port) => tcpListeners(port).length > 0)
      .map((port) => `listening port ${port}`),
    ...unixListeners(dir).map((inode) => `listening Unix socket, inode ${inode}`),
    // A log is meant to stay; anything else in the state folder is not.
    ...filesBelow(join(dir, "run"))
      .filter((path) => !path.endsWith(".log"))
      .map((path) => `file ${path}`),
    ...filesBelow(dir)
      .filter((path) => lstatSync(path).isSocket())
      .map((path) => `socket file ${path}`),
    ...filesBelow(POINTERS)
      .filter((path) => textOf(path).startsWith(`${dir}/`))
      .map((path) => `pointer ${path} to ${textOf(path).trim()}`),
  ];
}

/** A small file's text; "" when another test has removed it meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function filesBelow(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}
