// Where a pool's program is. With a chroot it must be inside, because we chroot before the program
// is loaded; php-fpm does so itself after PHP is loaded, so there it stands outside.

import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import type { PoolConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { OWN_PROGRAM } from "../sys/exec/self.ts";
import { beginningOf } from "../sys/beginning.ts";
import { exposure } from "../sys/trust.ts";
import { isRoot } from "./identity.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Where php-fpm is, and what else is started by root; the PATH of others has them not. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The chroot in force: only root can have one. */
export function chrootOf(pool: PoolConfig): string | null {
  return isRoot() ? pool.chroot : null;
}

/** The root directory that the program is loaded in. */
export function programRoot(
  pool: PoolConfig,
  { confinesWorkers }: Pick<Runtime, "confinesWorkers">,
): string {
  return confinesWorkers ? "/" : (chrootOf(pool) ?? "/");
}

/** The absolute path of the program, as seen by the worker. Throws a Fault saying where it was looked for. */
export function findProgram(pool: PoolConfig, runtime: Runtime): string {
  const written = pool.command[0]!;
  const root = programRoot(pool, runtime);
  const candidates = candidatesFor(pool, written);
  const usable = candidates.filter((path) => isExecutable(join(root, path)));
  const isOurs = (path: string) => runtime.sharesOurName && isOwnProgram(join(root, path));
  const found = usable.find((path) => !isOurs(path));
  if (found === undefined && usable.length > 0) throw ownProgramFault(pool, usable[0]!);
  if (found !== undefined) {
    checkInterpreter(pool, root, found);
    return found;
  }
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

/**
 * Whether nobody but root and this user can change what is executed there: the program, its interpreter, and the folder
 * it begins in. Others can have it on a file system of their own, or have it loaded from one (a script's first line, the
 * dynamic linker that an ELF file names), which never answers; and whoever starts a program waits in vfork(2) until it
 * is loaded.
 */
export function isSafeToStart(program: string, chdir: string): boolean {
  const interpreter = /^#![ \t]*([^ \t\n]+)/.exec(firstLine(program))?.[1];
  const places = [program, chdir, ...(interpreter === undefined ? [] : [interpreter])];
  return places.every((place) => exposure(place, "only on the way") === null);
}

/** What execve(2) reads of a script's first line (BINPRM_BUF_SIZE). */
const FIRST_LINE_MOST = 256;

/** Throws the Fault for a script whose interpreter is not there: execve(2) says of the script that it is missing. */
function checkInterpreter(pool: PoolConfig, root: string, program: string): void {
  const first = firstLine(join(root, program));
  const interpreter = /^#![ \t]*([^ \t\n]+)/.exec(first)?.[1];
  if (interpreter === undefined || existsSync(join(root, interpreter))) return;
  const named = interpreter.replace(/\r$/, "");
  const inside = root === "/" ? "" : ` inside the chroot ${root}`;
  throw new Fault(`the interpreter ${named} of the program ${program} does not exist${inside}`, {
    where: `pool ${pool.name}`,
    hint: interpreter.endsWith("\r")
      ? "its first line ends as on Windows, which belongs to the name then: save the program with Unix line ends"
      : "install it, or correct the first line of the program",
  });
}

/** Of a file that begins as a script; "" for anything else, or where there is no right to read it. */
function firstLine(path: string): string {
  const text = Buffer.from(beginningOf(path, FIRST_LINE_MOST) ?? []).toString("latin1");
  return text.startsWith("#!") ? text.split("\n")[0]! : "";
}

function candidatesFor(pool: PoolConfig, written: string): string[] {
  if (written.includes("/")) {
    return [isAbsolute(written) ? written : resolve(pool.chdir ?? process.cwd(), written)];
  }
  const own = pool.env.get("PATH");
  const path = own !== undefined && !own.startsWith("$") ? own : (process.env.PATH ?? DEFAULT_PATH);
  const folders = [...path.split(":").filter(isAbsolute), ...SYSTEM_FOLDERS];
  return [...new Set(folders)].map((folder) => join(folder, written));
}

/** This program goes by the name php-fpm, too, where a link says so. */
function isOwnProgram(path: string): boolean {
  const [it, own] = [path, OWN_PROGRAM].map((file) => statSync(file, { throwIfNoEntry: false }));
  return it !== undefined && own !== undefined && it.dev === own.dev && it.ino === own.ino;
}

function ownProgramFault({ name }: PoolConfig, path: string): Fault {
  return new Fault(`the program ${path} is fcgivisor itself, by a link`, {
    where: `pool ${name}`,
    hint: "write the whole path of the real program in `command`: /usr/sbin/php-fpm8.2, for instance",
  });
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
