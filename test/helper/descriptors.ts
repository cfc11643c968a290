// How many descriptors a supervisor has when nothing goes on, for tests that look for leaks. Whoever
// asks it something costs it one for the time of the answer, and it opens files of /proc now and then.

import { descriptorsOf, unixConnections } from "./processes.ts";
import type { Supervisor } from "./program.ts";
import { eventually } from "./wait.ts";

/** Of so many looks one falls between two of its own looks at /proc. */
const LOOKS = 20;
const PAUSE_MS = 5;

type Watched = Pick<Supervisor, "pid" | "socket">;

/** The fewest seen in some looks while nobody asks it anything. */
export async function descriptorsAtRest(supervisor: Watched): Promise<number> {
  let fewest = Number.POSITIVE_INFINITY;
  for (let looks = 0; looks < LOOKS; looks++) {
    await eventually(() => unixConnections(supervisor.socket) === 0, {
      what: `nobody asks supervisor ${supervisor.pid}`,
    });
    fewest = Math.min(fewest, descriptorsOf(supervisor.pid).size);
    await Bun.sleep(PAUSE_MS);
  }
  return fewest;
}

/** Waits until it has no more than so many. */
export async function descriptorsFallTo(supervisor: Watched, most: number): Promise<void> {
  const count = () => descriptorsOf(supervisor.pid).size;
  await eventually(() => count() > 0 && count() <= most, {
    what: `supervisor ${supervisor.pid} has at most ${most} descriptors`,
  });
}
