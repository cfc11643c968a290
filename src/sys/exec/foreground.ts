// Running a command of the user's in the foreground, on the same terminal, and waiting until it has ended.

import { constants } from "node:os";

export interface Foreground {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it reads; this process's own stdin unless given. */
  readonly stdin?: string;
}

/** For sh. Returns its exit code, or 128 and the signal's number as a shell has it. */
export async function inForeground(command: string, { env, stdin }: Foreground): Promise<number> {
  const child = Bun.spawn(["/bin/sh", "-c", command], {
    env,
    stdio: [stdin === undefined ? "inherit" : Buffer.from(stdin), "inherit", "inherit"],
  });
  // Ctrl-C reaches it without us; if this process ended, the two would share the terminal with the shell.
  const stay = () => {};
  const end = () => child.kill("SIGTERM");
  const handlers = { SIGINT: stay, SIGQUIT: stay, SIGTERM: end, SIGHUP: end } as const;
  const signals = Object.entries(handlers);
  for (const [signal, handler] of signals) process.on(signal, handler);
  try {
    const code = await child.exited;
    const signal = child.signalCode;
    return signal === null ? code : 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
  } finally {
    for (const [signal, handler] of signals) process.off(signal, handler);
  }
}
