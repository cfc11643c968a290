// Programs on libfcgi: C, C++, perl's FCGI module, and the responder inside this binary. Since 2.4.1
// the library finishes the request in hand on TERM. They do not fork and do not count requests.

import type { Runtime } from "./runtime.ts";

export const libfcgi: Runtime = {
  name: "libfcgi",
  // Nothing in a name says that a program uses libfcgi, so this kind is never guessed.
  matches: () => false,
  forks: false,
  groupSize: () => 1,
  args: () => [],
  env: () => ({}),
  forbiddenEnv: [],
  stopSignal: "SIGTERM",
  stopSignalWhileBusy: "finishes-request",
  recyclesItself: false,
};
