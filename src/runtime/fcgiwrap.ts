// fcgiwrap. It runs a CGI program for each request, and no signal is polite to it while it does; so
// it is asked to leave when it is seen to be idle. Its own `-c` is not used: its parent neither
// refills nor passes signals on.

import type { Runtime } from "./runtime.ts";

export const fcgiwrap: Runtime = {
  name: "fcgiwrap",
  matches: (program) => program === "fcgiwrap",
  forks: false,
  groupSize: () => 1,
  args: () => [],
  env: () => ({}),
  forbiddenEnv: [],
  stopSignal: "SIGTERM",
  stopSignalWhileBusy: "ends-request",
  recyclesItself: false,
};
