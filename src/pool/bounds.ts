// Within which bounds a pool moves: how many serve at least, how many there are at most, and how many
// new workers come up before the first old one goes. Pure.

import type { ExtraWorkers } from "../config/model.ts";
import type { Limits, Want } from "./steps.ts";

/** One generation for itself: it replaces its own losses. */
export function alone(target: number, extra: number): Omit<Limits, "waitMs"> {
  return { floor: target, most: target, extra };
}

/** One generation in place of another: as many serve as both want, and the bigger number is the bound. */
export function inPlaceOf(old: number, target: number, extra: number): Omit<Limits, "waitMs"> {
  return { floor: Math.min(old, target), most: Math.max(old, target), extra };
}

/**
 * How many of the workers that are wanted come up before any of `old` has left: all of them where the
 * bound allows it, else as many whole groups as it allows, and one at least.
 */
export function firstBatch(old: number, { target, groupSize }: Want, extra: number): number {
  if (Math.min(old, target) <= extra) return target;
  const groups = Math.max(1, Math.floor(extra / groupSize));
  return Math.min(target, groups * groupSize);
}

/** A bound as a number of workers. */
export function extraWorkers(extra: ExtraWorkers, workers: number): number {
  return extra.kind === "count" ? extra.value : Math.ceil((workers * extra.value) / 100);
}
