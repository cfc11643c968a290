// Stops a process so that a decision about it holds until it is carried out.

import { block } from "../sys/clock.ts";
import { processStat } from "../sys/proc/procfs.ts";
import { sendSignal } from "../sys/process.ts";

/** A process that runs stops within microseconds; one on a busy machine gets its turn. */
const LOOKS_MOST = 50;
const LOOK_EVERY_MS = 1;
/** Stopped, ended, or in the kernel where a signal does not reach it: before it runs on it stops. */
const STILL = ["T", "t", "Z", "X", "D"];

/** Sends SIGSTOP and waits, a few milliseconds at most, until it has taken effect. */
export function holdStill(pid: number): void {
  sendSignal(pid, "SIGSTOP");
  for (let looks = 0; looks < LOOKS_MOST; looks++) {
    const state = processStat(pid)?.state;
    if (state === undefined || STILL.includes(state)) return;
    block(LOOK_EVERY_MS);
  }
}
