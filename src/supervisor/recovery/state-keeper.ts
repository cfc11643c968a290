// Keeps the state file in step with the world. That a socket is there is written at once; which
// groups serve on it can wait a moment. A full disk is told once and tried again, and a file that
// somebody spoilt or removed is written anew; the service goes on.

import { statSync } from "node:fs";
import { Fault } from "../../fault.ts";
import { after, every } from "../../sys/clock.ts";
import { removeState, type State, statePath, writeState } from "./state-file.ts";
import { STATE_FORMAT } from "./state-format.ts";
import { stateRecords } from "./state-records.ts";
import type { World } from "../supervisor-state.ts";

export interface StateKeeper {
  /** Something less important changed: saved within a second. */
  changed(): void;
  save(): void;
  /** As the file has it. */
  state(): State;
  /** After a start that failed: leaves what the supervisor before has left, and nothing of ours. */
  giveUp(): void;
  /** At a clean end nothing is left to recover. */
  remove(): void;
}

const LAZY_MS = 1000;

export function keepState(world: World, version: string): StateKeeper {
  const { stateDir } = world.config.supervisor;
  let written = "";
  let trace: string | null = null;
  let failing = false;
  let cancel: (() => void) | null = null;

  function save(): void {
    cancel?.();
    cancel = null;
    const state = stateOf(world, version);
    const text = JSON.stringify(state);
    if (text === written && traceOf(stateDir) === trace) return;
    try {
      writeState(stateDir, state);
      written = text;
      trace = traceOf(stateDir);
      failing = false;
    } catch (error) {
      if (!failing)
        world.emit({
          type: "trouble",
          fault: new Fault("cannot write the state file; trying again", {
            where: statePath(stateDir),
            hint: "make room or give the right to write there: until then a killed supervisor's workers are harder to take over",
            cause: error,
          }).toJSON(),
        });
      failing = true;
      changed();
    }
  }

  function changed(): void {
    cancel ??= after(LAZY_MS, save);
  }

  function giveUp(): void {
    // One that could not be read, and was not replaced, is not ours to touch.
    if (written === "") return;
    if (stateRecords(world).length === 0) remove();
    else save();
  }

  function remove(): void {
    cancel?.();
    endLooks();
    removeState(stateDir);
  }

  const endLooks = every(LAZY_MS, () => {
    if (written !== "" && cancel === null) save();
  });

  return { changed, giveUp, save, state: () => stateOf(world, version), remove };
}

/** Changes whenever somebody else has had a hand in it. */
function traceOf(stateDir: string): string | null {
  const stat = statSync(statePath(stateDir), { throwIfNoEntry: false });
  return stat === undefined ? null : [stat.ino, stat.size, stat.mtimeMs].join();
}

function stateOf(world: World, version: string): State {
  const { generation } = world;
  const pools = stateRecords(world);
  return { format: STATE_FORMAT, version, pid: process.pid, generation, pools };
}
