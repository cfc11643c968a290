// Counts the workers of a spot, exactly. A walk through /proc takes a while, and who comes or goes
// during it would be counted twice or not at all; so the supervisor is stopped for each look, in which
// it starts nobody and lets nobody go.

import { isGated, type Spot } from "./pool.ts";
import { alive, statusField, workersAt } from "./processes.ts";
import type { Supervisor } from "./program.ts";

/** One look at a spot. */
export interface Population {
  readonly workers: readonly number[];
  /** Those of them that wait at the gate of a gated pool, and serve nobody yet. */
  readonly gated: readonly number[];
}

type Named = Pick<Supervisor, "pid">;

/** Who is there at this moment. */
function populationOf({ pid }: Named, spot: Spot): Population {
  process.kill(pid, "SIGSTOP");
  while (alive(pid) && !statusField(pid, "State").startsWith("T")) Bun.sleepSync(1);
  const workers = workersAt(spot.where);
  const gated = workers.filter(isGated);
  process.kill(pid, "SIGCONT");
  return { workers, gated };
}

/** What was seen in all looks so far. */
export class Census {
  private readonly supervisor: Named;
  private readonly spot: Spot;
  most = 0;
  /** Of workers that serve. */
  fewest = Number.POSITIVE_INFINITY;

  constructor(supervisor: Named, spot: Spot) {
    this.supervisor = supervisor;
    this.spot = spot;
    this.look();
  }

  look(): Population {
    const seen = populationOf(this.supervisor, this.spot);
    this.most = Math.max(this.most, seen.workers.length);
    this.fewest = Math.min(this.fewest, seen.workers.length - seen.gated.length);
    return seen;
  }

  /** Looks again and again until `over` settles. */
  async until(over: Promise<unknown>): Promise<void> {
    while (Bun.peek.status(over) === "pending") {
      const began = performance.now();
      this.look();
      // The supervisor and the others get three quarters of the time, on a slow machine, too.
      await Bun.sleep(3 * (performance.now() - began));
    }
  }
}
