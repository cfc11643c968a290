// What signals do: those an init system needs, and for the others a word on which command to use.

import type { Emit } from "../event.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";

const ENDING = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

/**
 * From the first moment on, a signal that ends must not simply kill: as process 1 it would be lost, and
 * elsewhere workers of an earlier supervisor would be left. Holds them until somebody can act on them.
 */
export class HeldSignals {
  private readonly came: NodeJS.Signals[] = [];
  private readonly hold = (signal: NodeJS.Signals) => void this.came.push(signal);

  constructor() {
    for (const signal of ENDING) process.on(signal, this.hold);
  }

  /** Lets the signals that came meanwhile do what they do now. */
  release(): void {
    for (const signal of ENDING) process.off(signal, this.hold);
    for (const signal of this.came) process.emit(signal, signal);
  }
}

/** SIGHUP from a terminal that was closed means quit; elsewhere old habits must not end the service. */
export function listenToSignals(supervisor: Supervisor, emit: Emit): void {
  const terminal = process.stdin.isTTY;
  const end = (word: () => "stop" | "quit", signal: NodeJS.Signals) =>
    process.on(signal, () => {
      emit({ type: "signal-received", signal });
      void supervisor.shutDown(word(), signal, () => {});
    });
  const ignore = (signal: NodeJS.Signals, use: string) =>
    process.on(signal, () => emit({ type: "signal-ignored", signal, use }));
  // Asked each time: a reload may have changed it.
  end(() => supervisor.config.supervisor.stopSignalMeans, "SIGTERM");
  end(() => "stop", "SIGINT");
  end(() => "quit", "SIGQUIT");
  if (terminal) end(() => "quit", "SIGHUP");
  else ignore("SIGHUP", "fcgivisor reload");
  ignore("SIGUSR1", "fcgivisor logrotate");
  ignore("SIGUSR2", "fcgivisor reload");
}
