// The loop of a generation: does the next step to what is wanted (steps.ts decides which), as many as
// can be done now. Whoever changes something, what is wanted or what there is, calls for a turn;
// only the end of a wait it notices by itself.

import { after } from "../sys/clock.ts";
import type { Group } from "../worker/group.ts";
import type { Failures } from "./failures.ts";
import { type Groups, leastBusy } from "./groups.ts";
import { type Limits, nextStep, type Step, type Want } from "./steps.ts";

export interface Goal {
  readonly want: Want;
  readonly limits: Omit<Limits, "waitMs">;
  /** Groups whose place is taken; null = nobody's. */
  readonly before: Groups | null;
}

export interface ConvergenceContext {
  readonly groups: Groups;
  readonly failures: Failures;
  /** Asked before each step; null = there is nothing to do. */
  readonly goal: () => Goal | null;
  readonly onDone: () => void;
}

export class Convergence {
  private readonly context: ConvergenceContext;
  private cancelTurn: () => void = () => {};

  constructor(context: ConvergenceContext) {
    this.context = context;
  }

  turn(): void {
    this.cancelTurn();
    for (;;) {
      const step = this.nextStep();
      if (step === null) return;
      this.carryOut(step);
      if (step.do === "wait" || step.do === "done") return;
    }
  }

  /** Nothing is wanted any more. */
  rest(): void {
    this.cancelTurn();
    this.context.failures.unsettled();
  }

  private nextStep(): Step<Group> | null {
    const { groups, failures, goal } = this.context;
    const now = goal();
    if (now === null) return null;
    const limits = { ...now.limits, waitMs: failures.waitMs };
    return nextStep(groups.have(now.before), now.want, limits);
  }

  private carryOut(step: Step<Group>): void {
    const { groups, failures, onDone } = this.context;
    switch (step.do) {
      case "start":
        failures.unsettled();
        void groups.start(step.size);
        break;
      case "drain":
        void leastBusy(step.oneOf).drain();
        break;
      case "wait":
        if (step.ms !== null) this.cancelTurn = after(step.ms, () => this.turn());
        break;
      case "done":
        groups.forgetRecycled();
        failures.settled();
        onDone();
    }
  }
}
