// Where the time goes: the stacks of all workers of a choice, looked at fifty times a second and counted. It
// looks in small slices, so that nothing else waits, uses no more than a small share of a core, and only while
// somebody wants to know.

import { Fault } from "../../fault.ts";
import type { Frame, Stack, StackReader } from "../../observe/stack.ts";
import { cpuTime, every, now } from "../../sys/clock.ts";
import type { SupervisorState } from "../supervisor-state.ts";
import { groupsOf, type TraceChoice, tracedWorkers } from "./traced.ts";

/** What was seen since the last batch. The shape goes over the control socket as it is. */
export interface ProfileBatch {
  /** Stacks that were read. */
  readonly samples: number;
  /** Looks that found a worker without a request, or running no code of its language. */
  readonly idle: number;
  /** Looks that gave no stack to believe. */
  readonly unsure: number;
  /** Stacks of which there were too many different ones. */
  readonly uncounted: number;
  readonly stacks: readonly ProfileStack[];
}

export interface ProfileStack {
  readonly count: number;
  /** The function that runs first. */
  readonly frames: readonly Frame[];
  readonly cut: boolean;
}

const LOOK_EVERY_MS = 20;
const BATCH_EVERY_MS = 1000;
/** Milliseconds that one turn may take, so that nothing else waits. */
const TURN_MOST_MS = 4;
/** Of one core: with very many workers, or on a slow machine, it looks less often than it would. */
const CPU_SHARE = 0.02;
/** Milliseconds of CPU that may be saved up. */
const SAVED_MOST_MS = 5;
/** Different stacks in one batch. */
const STACKS_MOST = 2000;
/** Profiles at the same time, of all who ask. */
const PROFILES_MOST = 2;

let running = 0;

/**
 * Samples for so many milliseconds, or until `signal`, and hands over what was seen each second. Throws a Fault
 * at once when there is no such pool or worker, its program shows no stack, or others sample already.
 */
export function profile(
  state: SupervisorState,
  choice: TraceChoice,
  ms: number,
  signal: AbortSignal,
  onBatch: (batch: ProfileBatch) => void,
): Promise<void> {
  refuseWithoutStacks(state, choice);
  if (running >= PROFILES_MOST)
    throw new Fault("the stacks are being sampled already", {
      hint: "wait until the other `fcgivisor trace --top` is over",
    });
  running++;
  return sampleFor(new Profile(state, choice), ms, signal, onBatch).finally(() => running--);
}

function refuseWithoutStacks(state: SupervisorState, choice: TraceChoice): void {
  const groups = tracedWorkers(state, choice).map(({ group }) => group);
  if (groups.length === 0 || groups.some(({ context }) => context.runtime.stackReader)) return;
  const { pool, runtime } = groups[0]!.context;
  throw new Fault(`the stack of a ${runtime.name} program cannot be read from outside`, {
    where: `pool ${pool.name}`,
    hint: "it can of PHP; without --top, trace tells what each worker waits for",
  });
}

function sampleFor(
  profile: Profile,
  ms: number,
  signal: AbortSignal,
  onBatch: (batch: ProfileBatch) => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const until = now() + ms;
  let lastBatch = now();
  const cancel = every(LOOK_EVERY_MS, () => {
    if (!signal.aborted) profile.look();
    const isOver = signal.aborted || now() >= until;
    if (!isOver && now() - lastBatch < BATCH_EVERY_MS) return;
    lastBatch = now();
    if (!signal.aborted) onBatch(profile.take());
    if (isOver) resolve();
  });
  return promise.finally(cancel);
}

interface Sampled {
  readonly pid: number;
  readonly startTime: number;
  readonly reader: StackReader;
  /** The stack of the last look, and where it is counted. */
  last: { readonly stack: Stack; readonly counted: Counted } | null;
}

interface Counted {
  count: number;
  readonly stack: Omit<ProfileStack, "count">;
}

class Profile {
  private readonly state: SupervisorState;
  private readonly choice: TraceChoice;
  private workers: readonly Sampled[] = [];
  private workersSince = Number.NEGATIVE_INFINITY;
  /** Milliseconds of CPU that may be used now. */
  private credit = SAVED_MOST_MS;
  private lastLook = now();
  /** Whose turn it is first. */
  private next = 0;
  private counts = new Map<string, Counted>();
  private tally = { samples: 0, idle: 0, unsure: 0, uncounted: 0 };

  constructor(state: SupervisorState, choice: TraceChoice) {
    this.state = state;
    this.choice = choice;
  }

  /** Looks at each worker once, or at as many as there is time for; not at all while it has used up its CPU. */
  look(): void {
    const cpu = cpuTime();
    this.credit = Math.min(SAVED_MOST_MS, this.credit + CPU_SHARE * (now() - this.lastLook));
    this.lastLook = now();
    if (this.credit <= 0) return;
    if (now() - this.workersSince > BATCH_EVERY_MS) this.renewWorkers();
    this.turn();
    this.credit -= cpuTime() - cpu;
  }

  private turn(): void {
    const { length } = this.workers;
    const until = now() + TURN_MOST_MS;
    for (let turns = 0; turns < length && now() < until; turns++) {
      this.lookAt(this.workers[this.next % length]!);
      this.next = (this.next + 1) % length;
    }
  }

  /** What was seen since the last time. */
  take(): ProfileBatch {
    const stacks = [...this.counts.values()].map(({ count, stack }) => ({ ...stack, count }));
    const batch = { ...this.tally, stacks };
    this.counts = new Map();
    for (const sampled of this.workers) sampled.last = null;
    this.tally = { samples: 0, idle: 0, unsure: 0, uncounted: 0 };
    return batch;
  }

  private renewWorkers(): void {
    this.workersSince = now();
    const known = new Map(this.workers.map((sampled) => [sampled.pid, sampled]));
    this.workers = this.present().map(({ stackReader, pid, startTime }) => {
      const before = known.get(pid);
      const isSame = before?.startTime === startTime;
      return isSame ? before : { pid, startTime, reader: stackReader(pid), last: null };
    });
  }

  /** A pool, or a worker that was named, may have left meanwhile. */
  private present() {
    const { state, choice } = this;
    if (choice.pool !== null && !state.pools.has(choice.pool)) return [];
    return groupsOf(state, choice.pool).flatMap(({ context, members }) => {
      const { stackReader } = context.runtime;
      if (stackReader === undefined) return [];
      const workers = members.workers().filter(({ pid }) => (choice.pid ?? pid) === pid);
      return workers.map(({ pid, startTime }) => ({ stackReader, pid, startTime }));
    });
  }

  private lookAt(sampled: Sampled): void {
    const stack = sampled.reader.read();
    if (stack.got === "nothing") this.tally.idle++;
    else if (stack.got === "unsure") this.tally.unsure++;
    else {
      this.tally.samples++;
      const isSame = sampled.last?.stack === stack;
      const counted = isSame ? sampled.last!.counted : this.countedFor(stack);
      if (counted === null) this.tally.uncounted++;
      else {
        counted.count++;
        sampled.last = { stack, counted };
      }
    }
  }

  /** null: there are too many different ones. */
  private countedFor({ frames, isCut }: Extract<Stack, { got: "stack" }>): Counted | null {
    const key = frames.map(frameKey).join("\n");
    const known = this.counts.get(key);
    if (known !== undefined) return known;
    if (this.counts.size >= STACKS_MOST) return null;
    const counted = { count: 0, stack: { frames, cut: isCut } };
    this.counts.set(key, counted);
    return counted;
  }
}

function frameKey(frame: Frame): string {
  return `${frame.class}\t${frame.function}\t${frame.file}\t${frame.line}`;
}
