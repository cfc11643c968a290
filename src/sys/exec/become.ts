// Turning this process into another program: limits, priority, root directory, user, and execve(2).
// Used by the worker shim, which does nothing else in its short life.

import { constants } from "node:os";
import { checked, cString, libc, type Pointer, ptr } from "../libc.ts";

const RLIMIT_CORE = 4;
const RLIMIT_NOFILE = 7;
const RLIM_INFINITY = 0xffffffffffffffffn;
const SIG_SETMASK = 2;
const PRIO_PROCESS = 0;
const SIG_IGN = 1 as Pointer;

/** Sets the soft and the hard limit, as php-fpm since 0.5.14 does. */
export function limit(which: "files" | "core", value: number | "unlimited"): void {
  const number = value === "unlimited" ? RLIM_INFINITY : BigInt(value);
  const pair = new BigUint64Array([number, number]);
  checked("setrlimit", libc.setrlimit(which === "files" ? RLIMIT_NOFILE : RLIMIT_CORE, ptr(pair)));
}

export function beNice(value: number): void {
  checked("setpriority", libc.setpriority(PRIO_PROCESS, 0, value));
}

export function changeRoot(path: string): void {
  const text = cString(path);
  checked("chroot", libc.chroot(ptr(text)), path);
}

/** Gives up root for good: groups first, because afterwards they can no longer be set. */
export function becomeUser(uid: number, gid: number, groups: readonly number[]): void {
  checked("setgid", libc.setgid(gid));
  const list = new Uint32Array(groups.length === 0 ? [gid] : groups);
  checked("setgroups", libc.setgroups(list.length, ptr(list)));
  checked("setuid", libc.setuid(uid));
}

export function setUmask(mask: number): number {
  return libc.umask(mask);
}

/**
 * Replaces this process by the program; `argv` begins with the name it is to see. Returns only by
 * throwing the SysError of execve(2). `ignore`: signals that must not end the program before it has
 * handlers of its own; a pending one is thrown away, where by default it would be deadly.
 */
export function execute(
  program: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  ignore: readonly NodeJS.Signals[] = [],
): never {
  const { become, restore } = readyToExecute(program, argv, env, ignore);
  try {
    return become();
  } finally {
    restore();
  }
}

export interface Ready {
  readonly become: () => never;
  /** To be called when it has failed and this program is to go on. */
  readonly restore: () => void;
}

/**
 * The same in steps: `become` is hardly more than the call itself. Before it a user with a limit on
 * processes may be taken on; then a thread more, which this runtime starts when a loop grows hot,
 * would be one too many and end it.
 */
export function readyToExecute(
  program: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  ignore: readonly NodeJS.Signals[] = [],
): Ready {
  const restore = setDispositions(new Set(ignore.map((name) => constants.signals[name])));
  const empty = new BigUint64Array(16);
  libc.sigprocmask(SIG_SETMASK, ptr(empty), null);
  const path = cString(program);
  const words = pointerArray(argv);
  const variables = pointerArray(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  const become = (): never => {
    checked("execve", libc.execve(ptr(path), ptr(words.array), ptr(variables.array)), program);
    throw new Error("execve returned");
  };
  return { become, restore };
}

/** Bytes that hold a struct sigaction on every architecture. */
const SIGACTION_BYTES = 256;

/**
 * Gives every signal its default action, or none: an ignored one stays ignored across execve(2), and
 * this runtime ignores some. The returned function puts back what was.
 */
function setDispositions(ignored: ReadonlySet<number>): () => void {
  const before = new Map<number, Uint8Array>();
  for (const number of new Set(Object.values(constants.signals))) {
    const action = new Uint8Array(SIGACTION_BYTES);
    if (libc.sigaction(number, null, ptr(action)) === 0) before.set(number, action);
    libc.signal(number, ignored.has(number) ? SIG_IGN : null);
  }
  return () => {
    for (const [number, action] of before) libc.sigaction(number, ptr(action), null);
  };
}

/** char*[] with a closing NULL; the strings are returned too, so that they stay referenced. */
function pointerArray(texts: readonly string[]): { strings: Uint8Array[]; array: BigUint64Array } {
  const strings = texts.map(cString);
  return { strings, array: new BigUint64Array([...strings.map((text) => BigInt(ptr(text))), 0n]) };
}
