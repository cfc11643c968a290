// Programs on libfcgi: C, C++, perl's FCGI module, and the responder inside this binary. Since 2.4.1
// the library finishes the request in flight on TERM.

import type { Runtime } from "./runtime.ts";
import { SINGLE } from "./single.ts";

export const libfcgi: Runtime = {
  ...SINGLE,
  name: "libfcgi",
  // Nothing in a name says that a program uses libfcgi, so this kind is never guessed.
  matches: () => false,
  stopSignalWhileBusy: "finishes-request",
};
