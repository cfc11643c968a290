// What can be asked of a running supervisor about what its workers execute.

import type { SupervisorState } from "../supervisor-state.ts";
import { profile, type ProfileBatch } from "./profile.ts";
import { trace, type Trace } from "./trace.ts";
import type { TraceChoice } from "./traced.ts";

export class SupervisorTraces {
  private readonly state: SupervisorState;

  constructor(state: SupervisorState) {
    this.state = state;
  }

  /** One look at the busy workers. Throws a Fault when there is no such pool or worker. */
  trace(choice: TraceChoice): Promise<Trace> {
    return trace(this.state, choice);
  }

  /** Samples for so many milliseconds, or until `signal`; see profile.ts. Throws a Fault at once when it cannot. */
  profile(
    choice: TraceChoice,
    ms: number,
    signal: AbortSignal,
    onBatch: (batch: ProfileBatch) => void,
  ): Promise<void> {
    return profile(this.state, choice, ms, signal, onBatch);
  }
}
