// Where a pool's program is. With a chroot it must be inside, because we chroot before the program
// is loaded (php-fpm does so after PHP is loaded, so there it may stand outside).

import { accessSync, constants, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import type { PoolConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import { isRoot } from "./identity.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The chroot in force: only root can have one. */
export function chrootOf(pool: PoolConfig): string | null {
  return isRoot() ? pool.chroot : null;
}

/** The absolute path of the program, as seen by the worker. Throws a Fault saying where it was looked for. */
export function findProgram(pool: PoolConfig): string {
  const written = pool.command[0]!;
  const root = chrootOf(pool) ?? "/";
  const candidates = candidatesFor(pool, written);
  const found = candidates.find((path) => isExecutable(join(root, path)));
  if (found !== undefined) return found;
  const inside = root === "/" ? "" : ` inside the chroot ${root}`;
  const notExecutable = candidates.find((path) =>
    statSync(join(root, path), { throwIfNoEntry: false }),
  );
  throw new Fault(
    notExecutable === undefined
      ? `the program "${written}" does not exist${inside}`
      : `the program ${notExecutable}${inside} is not executable`,
    { where: `pool ${pool.name}`, hint: hintFor(written, root, candidates) },
  );
}

function candidatesFor(pool: PoolConfig, written: string): string[] {
  if (written.includes("/")) {
    return [isAbsolute(written) ? written : resolve(pool.chdir ?? process.cwd(), written)];
  }
  const own = pool.env.get("PATH");
  const path = own !== undefined && !own.startsWith("$") ? own : (process.env.PATH ?? DEFAULT_PATH);
  return path
    .split(":")
    .filter(isAbsolute)
    .map((folder) => join(folder, written));
}

function hintFor(written: string, root: string, candidates: readonly string[]): string {
  const folders = [...new Set(candidates.map((path) => dirname(join(root, path))))].join(", ");
  const looked = written.includes("/")
    ? `looked at ${candidates.map((path) => join(root, path)).join(", ")}`
    : `looked in ${folders}`;
  if (root !== "/") {
    return `the program and its libraries must be inside the chroot, because it is loaded there; ${looked}`;
  }
  return written.includes("/")
    ? `correct \`command\`; ${looked}`
    : `install it, or write its whole path in \`command\`; ${looked}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Missing, or no right to reach it: either way it cannot be started.
    return false;
  }
}
