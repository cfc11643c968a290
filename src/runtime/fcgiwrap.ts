// fcgiwrap. It runs a CGI program for each request, and no signal lets it finish one; so it is asked
// to leave when it is seen to be idle. Its own `-c` is not used: its parent neither refills nor
// passes signals on.

import type { Runtime } from "./runtime.ts";
import { SINGLE } from "./single.ts";

export const fcgiwrap: Runtime = {
  ...SINGLE,
  name: "fcgiwrap",
  matches: (program) => program === "fcgiwrap",
  stopSignalWhileBusy: "ends-request",
};
