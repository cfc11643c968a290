// What it costs that workers leave: the requests that are cut short, and the processes that will not
// go.

import type { ProcessEnd } from "../event.ts";

export interface Losses {
  /** Requests that were in flight when their worker was ended. */
  readonly cut: number;
  /** Processes that not even KILL has ended. */
  readonly stuck: readonly StuckProcess[];
}

export interface StuckProcess {
  readonly pool: string;
  readonly pid: number;
}

export const NO_LOSSES: Losses = { cut: 0, stuck: [] };

export function sumOf(losses: readonly Losses[]): Losses {
  return {
    cut: losses.reduce((sum, { cut }) => sum + cut, 0),
    stuck: losses.flatMap(({ stuck }) => stuck),
  };
}

/**
 * The losses of one group, from what is seen of its end. After TERM a worker may still finish; whether
 * it did shows in the end of one that is a group of its own, and of one that a leader forked only when
 * it is still busy at KILL.
 */
export class GroupLosses implements Losses {
  private readonly forks: boolean;
  /** Requests in flight at the last signal, and at KILL. */
  private interrupted = 0;
  private killed = 0;
  private endedBySignal = false;
  stuck: readonly StuckProcess[] = [];

  constructor(forks: boolean) {
    this.forks = forks;
  }

  get cut(): number {
    if (this.forks) return this.killed;
    return this.endedBySignal ? this.interrupted : 0;
  }

  signalled(name: "SIGTERM" | "SIGKILL", inFlight: number): void {
    this.interrupted = inFlight;
    if (name === "SIGKILL") this.killed = inFlight;
  }

  /** It may have ended before it is known what the signal has met. */
  leaderEnded({ how }: ProcessEnd): void {
    this.endedBySignal = how === "signaled";
  }
}
