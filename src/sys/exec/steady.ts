// A long-lived process must not need a thread more. This runtime starts and ends threads as it has
// work for them (a hot loop to compile, memory to clear), and aborts when the system refuses one, as
// a full control group does (pids.max, TasksMax=). Told so in its environment, and only there, it
// does that work on the main thread. Measured: 5 threads instead of 8, 56 MB instead of 60, and no
// more CPU for what a supervisor does.

import { execute } from "./become.ts";
import { passDescriptors } from "../socket/listen-fds.ts";
import { isSteady, ownEnvironment, selfCommand } from "./self.ts";

/** Executes this program once more, as the same process, unless its environment is right already. */
export function becomeSteady(): void {
  const env = process.env as Record<string, string>;
  if (isSteady(env)) return;
  passDescriptors(env, process.pid);
  const [program, ...words] = selfCommand();
  execute(program!, [process.argv0, ...words, ...process.argv.slice(2)], ownEnvironment(env));
}
