// When a starting group is ready: every one of its workers has reached accept(2). Where /proc does
// not let us see that (another user's process, and no right to look), a worker that sleeps and has
// used no CPU for a while is taken to have settled.

import { activityOf, hasAccepted } from "../observe/activity.ts";
import type { Address } from "../sys/address.ts";
import { now } from "../sys/clock.ts";
import type { ProcessStat } from "../sys/procfs.ts";

const SETTLED_MS = 200;

/** A question to be asked again and again while the group starts. */
export function createReadinessCheck(
  address: Address,
  forks: boolean,
): (worker: ProcessStat) => boolean {
  const quiet = new Map<number, { readonly ticks: number; readonly since: number }>();

  function hasSettled({ pid, state, cpuTicks }: ProcessStat): boolean {
    const seen = quiet.get(pid);
    if (state === "S" && seen?.ticks === cpuTicks) return now() - seen.since >= SETTLED_MS;
    quiet.set(pid, { ticks: cpuTicks, since: now() });
    return false;
  }

  return (worker) => {
    const { doing } = activityOf(worker.pid, address);
    if (doing === "idle") return true;
    // One that got a request before it was looked at has reached accept(2) all the more; but a
    // program that has just been started may hold sockets of its own.
    if (doing === "busy") return forks || hasAccepted(worker.pid, address);
    return doing === "unknown" && hasSettled(worker);
  };
}
