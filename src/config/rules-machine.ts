// The rules that ask this machine: whether users, groups and folders that a pool names exist. Only for
// a config that is going to run here; a conversion may be for another machine.

import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { findGroup, findUser } from "../sys/users.ts";
import { originText, type Problems } from "./problems.ts";
import type { ReadPool } from "./rules.ts";

/** `uid`: of whoever is going to run it. */
export function checkMachine(pools: readonly ReadPool[], uid: number, problems: Problems): void {
  for (const pool of pools) {
    if (uid === 0) checkNames(pool, problems);
    checkFolders(pool, uid, problems);
    checkHealthScript(pool, uid, problems);
  }
  checkSockets(pools, problems);
}

/** One socket under two paths, because a folder in one of them is a link; equal paths are told without the machine. */
function checkSockets(pools: readonly ReadPool[], problems: Problems): void {
  const known = new Map<string, { readonly pool: ReadPool; readonly path: string }>();
  for (const pool of pools) {
    const { address } = pool.config.listen;
    if (address.kind !== "unix" || pool.failed.has("listen.address")) continue;
    const real = realSocket(address.path);
    const first = known.get(real);
    if (first === undefined) known.set(real, { pool, path: address.path });
    else if (first.path !== address.path) {
      const other = `${first.path} (${originText(first.pool.place("listen.address"))})`;
      problems.error(
        `pool ${pool.config.name}: ${address.path} is the same socket as pool ${first.pool.config.name}'s ${other}`,
        pool.place("listen.address"),
        "give each pool an address of its own",
      );
    }
  }
}

function realSocket(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path; // the folder is missing, or not ours to look at: said when the socket is opened
  }
}

// Anybody but root runs the workers as himself, and is told that these are ignored.
function checkNames(pool: ReadPool, problems: Problems): void {
  const { name, user, group, listen } = pool.config;
  const named = [
    ["user", "user", user],
    ["group", "group", group],
    ["listen.owner", "user", listen.owner],
    ["listen.group", "group", listen.group],
  ] as const;
  for (const [setting, kind, value] of named) {
    if (value === null || pool.failed.has(setting)) continue;
    if ((kind === "user" ? findUser(value) : findGroup(value)) !== null) continue;
    problems.error(
      `pool ${name}: there is no ${kind} "${value}" on this machine`,
      pool.place(setting),
      `create it with ${kind}add(8), or name another ${kind}`,
    );
  }
}

function checkFolders(pool: ReadPool, uid: number, problems: Problems): void {
  const { name, chdir, chroot } = pool.config;
  const folders = [
    ["chroot", uid === 0 ? chroot : null],
    ["chdir", chdir === null ? null : inside(pool, uid, chdir)],
  ] as const;
  for (const [setting, path] of folders) {
    if (path === null || pool.failed.has(setting) || found(path)?.isDirectory() === true) continue;
    const what = `pool ${name}: ${setting}: ${path} is not a directory`;
    problems.error(what, pool.place(setting), "create it, or name another one");
    return; // without the chroot nothing is inside it either
  }
}

function checkHealthScript(pool: ReadPool, uid: number, problems: Problems): void {
  const script = pool.config.health?.script ?? null;
  if (script === null || pool.failed.has("health.script")) return;
  const path = inside(pool, uid, script);
  if (found(path)?.isFile() === true) return;
  problems.error(
    `pool ${pool.config.name}: health.script: there is no file ${path}`,
    pool.place("health.script"),
    "create it, or name another script: new workers are asked for it before old ones go",
  );
}

function inside({ config }: ReadPool, uid: number, path: string): string {
  return config.chroot === null || uid !== 0 ? path : join(config.chroot, path);
}

function found(path: string) {
  try {
    return statSync(path);
  } catch {
    return null; // missing, or not ours to look at: then it is no use to the workers either
  }
}
