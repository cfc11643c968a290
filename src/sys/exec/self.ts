// How this program is started again: for the daemon, for the worker shim, for the demo.

import { statSync } from "node:fs";

const SELF = "/proc/self/exe";

/**
 * The file this program was started from. Asked now and not later: what Bun tells is what the kernel says
 * of it at the first question, and that is another name once the file is replaced.
 */
export const OWN_PROGRAM = process.execPath;

/**
 * The words that start this very program. When the file of the compiled binary was replaced or
 * removed meanwhile, /proc/self/exe still is the same program.
 */
export function selfCommand(): readonly string[] {
  if (!isCompiled()) return [OWN_PROGRAM, Bun.main];
  return [isStill(OWN_PROGRAM) ? OWN_PROGRAM : SELF];
}

function isStill(path: string): boolean {
  const [there, running] = [statSync(path, { throwIfNoEntry: false }), statSync(SELF)];
  return there?.ino === running.ino && there.dev === running.dev;
}

/**
 * Options of JavaScriptCore for a process that stays, as Bun reads them from the environment. It then
 * compiles and collects on its main thread; steady.ts says why.
 */
export const STEADY = {
  BUN_JSC_useConcurrentJIT: "0",
  BUN_JSC_useConcurrentGC: "0",
  BUN_JSC_numberOfGCMarkers: "1",
  // The optimizing compilers cost memory, and a supervisor has no loop that is worth it.
  BUN_JSC_useDFGJIT: "0",
} as const;

export function isCompiled(): boolean {
  return Bun.main.startsWith("/$bunfs/");
}

/** What steers this program or Bun, is a word of a service manager to it, or tells of who started it. */
const OWN_VARIABLES = [
  /^(FCGIVISOR|BUN|LISTEN|WATCHDOG|MEMORY_PRESSURE|SYSTEMD|SSH|SUDO)_/,
  /^(NOTIFY_SOCKET|FDSTORE|MAINPID|CREDENTIALS_DIRECTORY|INVOCATION_ID|JOURNAL_STREAM)$/,
];

/** Variables that have no business in anybody else's environment. */
export function isOwnVariable(name: string): boolean {
  return OWN_VARIABLES.some((pattern) => pattern.test(name));
}

/** Whether Bun obeys it: code to load, options to take, another program to be. */
function steersBun(name: string): boolean {
  return name.startsWith("BUN_") && !Object.hasOwn(STEADY, name);
}

/** The environment for this program when it is started once more. */
export function ownEnvironment(env: Readonly<Record<string, string | undefined>>) {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !steersBun(entry[0]),
  );
  return { ...STEADY, ...Object.fromEntries(kept) };
}

/** Whether it has that environment already. */
export function isSteady(env: Readonly<Record<string, string | undefined>>): boolean {
  const names = Object.keys(env);
  return Object.keys(STEADY).every((name) => names.includes(name)) && !names.some(steersBun);
}
