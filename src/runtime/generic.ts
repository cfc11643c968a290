// Any program that accepts on fd 0 and of which nothing more is known. Nobody can say what a signal
// does to its request in hand, so it gets the stop signal when it is idle, unless the pool's
// `stop_signal` says which one it understands.

import type { Runtime } from "./runtime.ts";

export const generic: Runtime = {
  name: "generic",
  matches: () => true,
  forks: false,
  groupSize: () => 1,
  args: () => [],
  env: () => ({}),
  forbiddenEnv: [],
  stopSignal: "SIGTERM",
  stopSignalWhileBusy: "ends-request",
  recyclesItself: false,
};
