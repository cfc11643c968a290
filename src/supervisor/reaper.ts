// Orphans come to us as their subreaper and must be reaped when they die. Looking for dead ones costs a
// walk through /proc, so it is done only when a child has changed, and not oftener than needed.

import { every } from "../sys/clock.ts";
import { onChildChange, reapOrphans } from "../sys/process.ts";

const REAP_EVERY_MS = 1000;

/** `beat` is called at every turn of the loop, whether there was something to reap or not. */
export function reapWhenNeeded(beat: () => void): void {
  // Who died before this was called told nobody: children of what this process was before an exec.
  let changed = true;
  onChildChange(() => (changed = true));
  every(REAP_EVERY_MS, () => {
    if (changed) reapOrphans();
    changed = false;
    beat();
  });
}
