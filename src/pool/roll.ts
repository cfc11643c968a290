// The story of a pool that goes from its old groups to its new ones in bounded steps: some new ones
// come up, as many old ones leave, and so on. What the next step is, steps.ts decides.

import { sleep } from "../sys/clock.ts";
import type { Group } from "../worker/group.ts";
import { busyWorkers } from "../worker/in-hand.ts";
import type { Generation } from "./generation.ts";
import { extraWorkers, nextStep } from "./steps.ts";

const LOOK_EVERY_MS = 50;

/** Whether the pool's bound lets all new workers come up at once beside all old ones. */
export function fitsAtOnce(old: Generation, next: Generation): boolean {
  const [before, after] = [old.context.pool.workers, next.context.pool.workers];
  const { maxExtra } = next.context.pool.reload;
  return before + after <= Math.max(before, after) + extraWorkers(maxExtra, after);
}

/** How many of the new workers may come up before the first old one goes. */
export function firstBatch(old: Generation | null, next: Generation): number {
  const { workers, reload } = next.context.pool;
  if (old === null || fitsAtOnce(old, next)) return workers;
  return extraWorkers(reload.maxExtra, workers);
}

/**
 * Rolls on until no old group serves and every new one does. Rejects with the Fault of a new group
 * that does not come up, or with `signal`'s reason; both generations are then as they are.
 */
export async function roll(old: Generation, next: Generation, signal: AbortSignal): Promise<void> {
  const busy = new Set<Promise<unknown>>();
  let failure: unknown = null;
  const watch = (work: Promise<unknown>) => {
    const settled = work
      .catch((error: unknown) => void (failure ??= error))
      .finally(() => busy.delete(settled));
    busy.add(settled);
  };
  for (;;) {
    signal.throwIfAborted();
    if (failure !== null) throw failure;
    switch (nextStep(sightOf(old, next))) {
      case "done":
        return next.tellReady();
      case "start-one":
        watch(next.startNext());
        break;
      case "drain-one":
        watch(old.release(serving(old)[0]!));
        break;
      case "wait":
        // What is lost and replaced meanwhile, and a worker that gets free, is seen by looking again.
        await Promise.race([...busy, sleep(LOOK_EVERY_MS, signal)]);
    }
  }
}

function sightOf(old: Generation, next: Generation) {
  const { workers, reload } = next.context.pool;
  const inState = (generation: Generation, ...states: Group["state"][]) =>
    generation.all
      .filter(({ state }) => states.includes(state))
      .reduce((sum, { shape }) => sum + shape.size, 0);
  return {
    oldWorkers: old.context.pool.workers,
    newWorkers: workers,
    maxExtra: extraWorkers(reload.maxExtra, workers),
    oldServing: serving(old).map(({ shape }) => shape.size),
    oldLeaving: inState(old, "draining", "terminating", "killing", "starting"),
    newReady: inState(next, "serving", "orphaned"),
    newStarting: inState(next, "starting"),
    newWaiting: next.waiting,
  };
}

/** Groups that serve, those with the fewest busy workers in front: they leave soonest. */
function serving(generation: Generation): Group[] {
  return generation.all
    .filter(({ state }) => state === "serving" || state === "orphaned")
    .map((group) => ({ group, busy: busyWorkers(group) }))
    .sort((a, b) => a.busy - b.busy)
    .map(({ group }) => group);
}
