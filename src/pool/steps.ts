// How a pool gets from the workers it has to those it should have: what there is and what is wanted
// go in, the next step comes out. Pure. A start, a loss, a reload and the way back from one all go
// through here, and whatever moves a target later needs nothing else. No step of ours leaves fewer
// workers than the floor, and none starts more than the limits allow.

/** Groups come and go whole. */
export interface Sized {
  /** Workers it provides. */
  readonly size: number;
}

export interface Have<G extends Sized> {
  /** Groups that serve and are to stay. */
  readonly serving: readonly G[];
  /** Groups that serve and are to go: of the generation before, or without their leader. */
  readonly outgoing: readonly G[];
  /** Workers of groups that have not come up yet. */
  readonly starting: number;
  /** Workers that were recycled, as usual, and are starting again or about to: nobody waits for them. */
  readonly returning: number;
  /** Workers of groups that have been asked to leave. */
  readonly leaving: number;
}

export interface Want {
  /** Workers there should be; it may change at any time. */
  readonly target: number;
  /** The most that one group provides. */
  readonly groupSize: number;
}

export interface Limits {
  /** So many must serve before one is let go. */
  readonly floor: number;
  /** So many workers are there in all, whoever asked them to leave. */
  readonly most: number;
  /** And so many more while new ones take the place of others. */
  readonly extra: number;
  /** For so long nothing is started, because the last starts failed. */
  readonly waitMs: number;
}

export type Step<G> =
  | { readonly do: "start"; readonly size: number }
  /** One of these, whichever is soonest done. */
  | { readonly do: "drain"; readonly oneOf: readonly G[] }
  /** Until something changes, or for so long. */
  | { readonly do: "wait"; readonly ms: number | null }
  | { readonly do: "done" };

export function nextStep<G extends Sized>(have: Have<G>, want: Want, limits: Limits): Step<G> {
  const oneOf = mayGo(have, want, limits);
  if (oneOf.length > 0) return { do: "drain", oneOf };
  const size = Math.min(want.groupSize, want.target - workersOf(have.serving) - have.starting);
  if (size > 0 && mayStart(have, size, limits))
    return limits.waitMs > 0 ? { do: "wait", ms: limits.waitMs } : { do: "start", size };
  return isDone(have, want) ? { do: "done" } : { do: "wait", ms: null };
}

/** Those without which enough serve: such as are to go; else such as are more than are wanted. */
function mayGo<G extends Sized>(have: Have<G>, { target }: Want, { floor }: Limits): readonly G[] {
  const stay = workersOf(have.serving);
  const serve = stay + workersOf(have.outgoing);
  const outgoing = have.outgoing.filter(({ size }) => serve - size >= floor);
  if (outgoing.length > 0) return outgoing;
  return have.serving.filter(
    ({ size }) => serve - size >= floor && stay + have.starting - size >= target,
  );
}

/** Those that leave take their time, and never keep a pool below its floor. */
function mayStart<G extends Sized>(have: Have<G>, size: number, limits: Limits): boolean {
  const { floor, most, extra } = limits;
  const there = workersOf(have.serving) + workersOf(have.outgoing) + have.starting;
  const room = most + Math.max(extra, leastExtra(have, size, floor));
  return there < floor || there + have.leaving + size <= room;
}

/**
 * With fewer extra workers than this, a group that is to go could wait for one that is to come, and
 * that one for the other. Where all sizes are the same it is one group.
 */
function leastExtra<G extends Sized>(have: Have<G>, size: number, floor: number): number {
  if (have.outgoing.length === 0) return size;
  const smallest = Math.min(...have.outgoing.map((group) => group.size));
  const sizes = [...have.outgoing, ...have.serving].map((group) => group.size);
  return smallest + size - sizes.reduce(greatestCommonDivisor, greatestCommonDivisor(size, floor));
}

function isDone<G extends Sized>(have: Have<G>, { target }: Want): boolean {
  return have.outgoing.length === 0 && workersOf(have.serving) + have.returning >= target;
}

export function workersOf(groups: readonly Sized[]): number {
  return groups.reduce((sum, { size }) => sum + size, 0);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
