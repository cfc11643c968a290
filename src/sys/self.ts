// How this program is started again: for the daemon, for the worker shim, for the demo.

/**
 * The words that start this very program. The compiled binary is named through /proc/self/exe, so
 * that it is the same program even when its file was replaced or removed meanwhile.
 */
export function selfCommand(): readonly string[] {
  return isCompiled() ? ["/proc/self/exe"] : [process.execPath, Bun.main];
}

export function isCompiled(): boolean {
  return Bun.main.startsWith("/$bunfs/");
}

/** Variables that steer this program or Bun, and have no business in anybody else's environment. */
export function isOwnVariable(name: string): boolean {
  return (
    name.startsWith("FCGIVISOR_") ||
    name === "BUN_OPTIONS" ||
    name === "BUN_BE_BUN" ||
    name === "NOTIFY_SOCKET" ||
    name === "WATCHDOG_USEC" ||
    name === "WATCHDOG_PID" ||
    name.startsWith("LISTEN_")
  );
}
