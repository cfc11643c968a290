// Letting go of the descriptors of who started us.

import { closeSync, openSync } from "node:fs";
import { checked, libc } from "../libc.ts";

/** Puts /dev/null on standard output and error: what waits for their end can go on. */
export function detachOutput(): void {
  const nowhere = openSync("/dev/null", "r+");
  for (const fd of [1, 2]) checked("dup2", libc.dup2(nowhere, fd));
  closeSync(nowhere);
}
