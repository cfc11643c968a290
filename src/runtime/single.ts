// What all programs have in common that do not fork: a process is a worker, it takes its arguments
// from the pool's command alone, and it does not count requests.

import type { Runtime } from "./runtime.ts";

export const SINGLE: Omit<Runtime, "name" | "matches" | "stopSignalWhileBusy"> = {
  sharesOurName: false,
  forks: "never",
  socketFd: 0,
  confinesWorkers: false,
  args: () => [],
  lastArgs: () => [],
  argumentVariables: () => ({}),
  env: () => ({}),
  forbiddenEnv: [],
  stopSignal: "SIGTERM",
  recyclesItself: false,
  leaderReads: false,
  workersHaveSockets: false,
  reopenSignal: () => null,
  endsLongRequests: () => false,
};
