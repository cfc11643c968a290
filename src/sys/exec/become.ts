// Turning this process into another program: limits, priority, root directory, user, and execve(2).
// Used by the worker shim, which does nothing else in its short life.

import { readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { checked, cString, libc, type Pointer, ptr } from "../libc.ts";

const RLIMITS = { core: 4, processes: 6, files: 7, memory: 9 } as const;
const RLIM_INFINITY = 0xffffffffffffffffn;
const SIG_SETMASK = 2;
const PRIO_PROCESS = 0;
const SIG_IGN = 1 as Pointer;

/** Sets the soft and the hard limit, as php-fpm since 0.5.14 does. */
export function limit(which: keyof typeof RLIMITS, value: number | "unlimited"): void {
  const number = value === "unlimited" ? RLIM_INFINITY : BigInt(value);
  const pair = new BigUint64Array([number, number]);
  checked("setrlimit", libc.setrlimit(RLIMITS[which], ptr(pair)));
}

/** What the kernel gives to the first process (INR_OPEN_CUR, INR_OPEN_MAX). */
const USUAL_FILES = { soft: 1024n, hard: 4096n } as const;

/** Takes back what this runtime has raised for itself, and what a service manager allows it. 0: this process. */
export function usualFiles(pid = 0): void {
  const { hard: most } = filesOf(pid);
  const hard = most < USUAL_FILES.hard ? most : USUAL_FILES.hard;
  const soft = hard < USUAL_FILES.soft ? hard : USUAL_FILES.soft;
  const usual = new BigUint64Array([soft, hard]);
  checked("prlimit", libc.prlimit(pid, RLIMITS.files, ptr(usual), null));
}

const CAP_SYS_RESOURCE = 24n;
/** Far more than a worker needs, and few enough to do no harm; containers often have a million. */
const SANE_FILES = 65_536n;

/**
 * Whether a program that is started as another user has a sane limit of open files without the shim: it can
 * be set from outside (prlimit(2); root in a container often may not), or what it inherits is one.
 */
export function filesAreBounded(): boolean {
  const status = readFileSync("/proc/self/status", "utf8");
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  return (effective & (1n << CAP_SYS_RESOURCE)) !== 0n || filesOf(0).hard <= SANE_FILES;
}

function filesOf(pid: number): { readonly hard: bigint } {
  const now = new BigUint64Array(2);
  checked("prlimit", libc.prlimit(pid, RLIMITS.files, null, ptr(now)));
  return { hard: now[1]! };
}

/** A supervisor may be protected from the out-of-memory killer; its workers are what it should take. */
export function noDearerThanOthers(pid: number | "self" = "self"): void {
  const place = `/proc/${pid}/oom_score_adj`;
  if (Number(readFileSync(place, "utf8")) < 0) writeFileSync(place, "0");
}

const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
/** More than there are: the kernel says EINVAL from the first that there is not. */
const CAPABILITIES = 64;

/** All capabilities leave the bounding set, where this process may do so: no program that it executes has any. */
export function emptyBoundingSet(): void {
  for (let capability = 0; capability < CAPABILITIES; capability++)
    libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

/** From here on no program gains rights by being executed (prctl(2), PR_SET_NO_NEW_PRIVS). */
export function noNewPrivileges(): void {
  checked("prctl", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

const SYS_KEYCTL = process.arch === "arm64" ? 219 : 250;
const KEYCTL_JOIN_SESSION_KEYRING = 1;

/** Leaves the keys of whoever started the supervisor behind; where the kernel has no keyrings, there are none. */
export function ownKeyring(): void {
  libc.syscall(SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
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
