// How a pool goes from its old groups to its new ones within a bound on extra workers, one decision
// at a time. Pure: what exists goes in, the next step comes out. There are never fewer serving
// workers than both configs ask for, and never more in all than the bigger of them and the extra.

import type { ExtraWorkers } from "../config/model.ts";

export interface RollSight {
  /** Workers configured before, and from now on. */
  readonly oldWorkers: number;
  readonly newWorkers: number;
  readonly maxExtra: number;
  /** Sizes of old groups that serve, the ones to go first in front. */
  readonly oldServing: readonly number[];
  /** Workers of old groups that are leaving. */
  readonly oldLeaving: number;
  /** Workers of new groups, ready or starting. */
  readonly newReady: number;
  readonly newStarting: number;
  /** Sizes of new groups that are not started yet. */
  readonly newWaiting: readonly number[];
}

export type RollStep = "start-one" | "drain-one" | "wait" | "done";

export function nextStep(sight: RollSight): RollStep {
  const { oldServing, newWaiting, newStarting } = sight;
  if (oldServing.length === 0 && newWaiting.length === 0 && newStarting === 0) return "done";
  if (mayDrain(sight)) return "drain-one";
  if (mayStart(sight)) return "start-one";
  return "wait";
}

/** The new ones must be able to do without it; the last old ones go when all new ones are ready. */
function mayDrain({ oldServing, newReady, oldWorkers, newWorkers }: RollSight): boolean {
  const [first] = oldServing;
  if (first === undefined) return false;
  const floor = Math.min(oldWorkers, newWorkers);
  return sum(oldServing) - first + newReady >= floor;
}

function mayStart(sight: RollSight): boolean {
  const [first] = sight.newWaiting;
  if (first === undefined) return false;
  const there = sum(sight.oldServing) + sight.oldLeaving + sight.newReady + sight.newStarting;
  const most = Math.max(sight.oldWorkers, sight.newWorkers);
  return (
    there + first <= most + Math.max(sight.maxExtra, leastExtra(sight.oldServing[0] ?? 0, first))
  );
}

/**
 * Groups come and go whole: with fewer extra workers than this, groups of `old` could wait for groups
 * of `next` and those for them. When one size divides the other it is the bigger one.
 */
function leastExtra(old: number, next: number): number {
  return old === 0 ? next : old + next - greatestCommonDivisor(old, next);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** The bound as a number of workers. */
export function extraWorkers(extra: ExtraWorkers, workers: number): number {
  return extra.kind === "count" ? extra.value : Math.ceil((workers * extra.value) / 100);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
