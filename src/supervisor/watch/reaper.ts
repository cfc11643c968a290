// Orphans come to us as their subreaper and must be reaped when they die. Looking for dead ones costs a
// walk through /proc, so it is done only when a child has changed, and not oftener than needed.

import { every } from "../../sys/clock.ts";
import { onChildChange, reapOrphans } from "../../sys/process.ts";

const REAP_EVERY_MS = 1000;

export class Reaper {
  /** Who died before it began told nobody: children of what this process was before an exec. */
  private hasChanged = true;
  private turns = 0;

  /** Begins to look. */
  start(): void {
    onChildChange(() => (this.hasChanged = true));
    every(REAP_EVERY_MS, () => {
      if (this.hasChanged) reapOrphans();
      this.hasChanged = false;
      this.turns++;
    });
  }

  /** Grows with every turn of the loop, whether there was something to reap or not. */
  get beats(): number {
    return this.turns;
  }
}
