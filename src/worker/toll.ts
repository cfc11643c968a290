// What it costs that workers leave: the requests that have no time to finish, and the processes that
// will not go.

import type { ProcessEnd } from "../event.ts";

export interface Toll {
  /** Requests that were in hand when their worker was ended. */
  readonly cut: number;
  /** Processes that not even KILL has ended. */
  readonly stuck: readonly StuckProcess[];
}

export interface StuckProcess {
  readonly pool: string;
  readonly pid: number;
}

export function sumOf(tolls: readonly Toll[]): Toll {
  return {
    cut: tolls.reduce((sum, { cut }) => sum + cut, 0),
    stuck: tolls.flatMap(({ stuck }) => stuck),
  };
}

/**
 * The toll of one group, from what is seen of its end. After TERM a worker may still finish; whether
 * it did shows in the end of one that is a group of its own, and of one that a leader forked only when
 * it is still busy at KILL.
 */
export class GroupToll implements Toll {
  private readonly forks: boolean;
  /** Requests in hand at the last signal. */
  private interrupted = 0;
  cut = 0;
  stuck: readonly StuckProcess[] = [];

  constructor(forks: boolean) {
    this.forks = forks;
  }

  signalled(name: "SIGTERM" | "SIGKILL", inHand: number): void {
    this.interrupted = inHand;
    if (this.forks && name === "SIGKILL") this.cut = inHand;
  }

  leaderEnded({ how }: ProcessEnd): void {
    if (!this.forks && how === "signaled") this.cut = this.interrupted;
  }
}
