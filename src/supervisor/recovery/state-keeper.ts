// Keeps the state file in step with the state. That a socket is there is written at once; which
// groups serve on it can wait a moment. A full disk is told once and tried again, and a file that
// somebody spoilt or removed is written again; the service goes on.

import { statSync } from "node:fs";
import { Fault } from "../../fault.ts";
import { after, every } from "../../sys/clock.ts";
import { removeState, type State, statePath, writeState } from "./state-file.ts";
import { STATE_FORMAT } from "./state-format.ts";
import { stateRecords } from "./state-records.ts";
import type { SupervisorState } from "../supervisor-state.ts";

const LAZY_MS = 1000;

export class StateKeeper {
  private readonly state: SupervisorState;
  private readonly version: string;
  private readonly stateDir: string;
  /** What the file says, as far as it was written here. */
  private written = "";
  private trace: string | null = null;
  private failing = false;
  private cancelSave: (() => void) | null = null;
  private readonly endLooks: () => void;

  constructor(state: SupervisorState, version: string) {
    this.state = state;
    this.version = version;
    this.stateDir = state.config.supervisor.stateDir;
    this.endLooks = every(LAZY_MS, () => {
      const isWritten = this.written !== "" && this.cancelSave === null;
      if (isWritten && traceOf(this.stateDir) !== this.trace) this.save();
    });
  }

  /** As the file has it. */
  get snapshot(): State {
    return stateOf(this.state, this.version);
  }

  /** Something less important changed: saved within a second. */
  changed(): void {
    this.cancelSave ??= after(LAZY_MS, () => this.save());
  }

  save(): void {
    this.cancelSave?.();
    this.cancelSave = null;
    const { snapshot } = this;
    const text = JSON.stringify(snapshot);
    if (text === this.written && traceOf(this.stateDir) === this.trace) return;
    try {
      writeState(this.stateDir, snapshot);
      this.written = text;
      this.trace = traceOf(this.stateDir);
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.tellFailure(error);
      this.failing = true;
      this.changed();
    }
  }

  /** After a start that failed: leaves what the supervisor before has left, and nothing of ours. */
  giveUp(): void {
    // One that could not be read, and was not replaced, is not ours to touch.
    if (this.written === "") return;
    if (stateRecords(this.state).length === 0) this.remove();
    else this.save();
  }

  /** At a clean end nothing is left to recover. */
  remove(): void {
    this.cancelSave?.();
    this.endLooks();
    removeState(this.stateDir);
  }

  private tellFailure(error: unknown): void {
    const fault = new Fault("cannot write the state file; trying again", {
      where: statePath(this.stateDir),
      hint: "make room or give the right to write there: until then a killed supervisor's workers are harder to take over",
      cause: error,
    });
    this.state.emit({ type: "trouble", fault: fault.toJSON() });
  }
}

/** Changes whenever somebody else has had a hand in it. */
function traceOf(stateDir: string): string | null {
  const stat = statSync(statePath(stateDir), { throwIfNoEntry: false });
  return stat === undefined ? null : [stat.ino, stat.size, stat.mtimeMs].join();
}

function stateOf(state: SupervisorState, version: string): State {
  const { generation } = state;
  const pools = stateRecords(state);
  return { format: STATE_FORMAT, version, pid: process.pid, generation, pools };
}
