// Any program that accepts on fd 0, when no more is known of it. Nobody can say what a signal does
// to its request in flight, so it gets the stop signal when it is idle, unless the pool's
// `stop_signal` says which one it understands.

import type { Runtime } from "./runtime.ts";
import { SINGLE } from "./single.ts";

export const generic: Runtime = {
  ...SINGLE,
  name: "generic",
  matches: () => true,
  stopSignalWhileBusy: "ends-request",
};
