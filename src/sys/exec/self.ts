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

/** Variables that steer this program or Bun, and have no business in anybody else's environment. */
export function isOwnVariable(name: string): boolean {
  return (
    name.startsWith("FCGIVISOR_") ||
    Object.hasOwn(STEADY, name) ||
    name === "BUN_OPTIONS" ||
    name === "BUN_BE_BUN" ||
    name === "NOTIFY_SOCKET" ||
    name === "WATCHDOG_USEC" ||
    name === "WATCHDOG_PID" ||
    name.startsWith("LISTEN_")
  );
}
