// What comes of a reload's probation: nothing, a line in the log, or a rollback that nobody asked for.
// There is one at a time: whatever replaces workers next ends it.

import { type Emit, type Event } from "../../event.ts";
import { Fault } from "../../fault.ts";
import type { Pool } from "../../pool/pool.ts";
import { Probation, type ProbationEnd } from "../probation.ts";

/** Goes back to what was before the reload. */
type GoBack = (why: string) => Promise<unknown>;

export class Probations {
  private readonly emit: Emit;
  private current: Probation | null = null;

  constructor(emit: Emit) {
    this.emit = emit;
  }

  hear(event: Event): void {
    this.current?.hear(event);
  }

  end(): void {
    this.current?.end();
    this.current = null;
  }

  /**
   * Watches those of the pools that have a probation; they have just been replaced. Resolves when it is
   * over; rejects with a Fault when it has ended badly, and what was before serves again.
   */
  watch(replaced: readonly Pool[], goBack: GoBack): Promise<void> {
    this.end();
    const pools = replaced.filter(({ config }) => config.reload.probationMs > 0);
    if (pools.length === 0) return Promise.resolve();
    const probation = new Probation(pools);
    this.current = probation;
    const over = probation.over.then((end) => this.over(end, pools, goBack));
    // Nobody has to wait for it.
    over.catch(() => {});
    return over;
  }

  private async over(end: ProbationEnd, pools: readonly Pool[], goBack: GoBack): Promise<void> {
    if (end.end === "superseded") return;
    this.current = null;
    if (end.end === "passed") {
      const ms = Math.max(...pools.map(({ config }) => config.reload.probationMs));
      return this.emit({ type: "probation-passed", pools: pools.map(({ name }) => name), ms });
    }
    const { pool, why } = end;
    this.emit({ type: "probation-failed", pool, why });
    await goBack(`pool ${pool} has not stood its probation: ${why}`);
    throw new Fault(`the new generation has not stood its probation: ${why}`, {
      where: `pool ${pool}`,
      hint: "the supervisor has gone back to the config before; correct the files, then reload",
    });
  }
}
