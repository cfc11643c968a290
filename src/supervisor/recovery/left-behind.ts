// What is there when a supervisor has died and none has taken its place: its workers serve on, and a
// stop must end them, because nobody else would.

import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Emit } from "../../event.ts";
import { inheritedSockets } from "../../socket/inherited.ts";
import { addressText } from "../../sys/address.ts";
import { takeLock } from "../../sys/lock.ts";
import { recover } from "./recovery.ts";
import { readState, removeState, type State } from "./state-file.ts";
import type { Ground } from "../supervisor-state.ts";

export interface LeftBehind {
  /** Processes that still serve. */
  readonly workers: number;
  readonly addresses: readonly string[];
  /** Process id of the supervisor that has died. */
  readonly pid: number;
  /** stop: TERM at once; quit: each after its request. Removes the state, too. */
  readonly end: (word: "stop" | "quit") => Promise<void>;
  /** To be called when nothing is to be done. */
  readonly leave: () => void;
}

/** null when nothing is left, or when a supervisor lives. Until one of its functions was called, none can start. */
export function leftBehind(stateDir: string, emit: Emit): LeftBehind | null {
  const state = stateOf(stateDir);
  const lockFile = join(stateDir, "lock");
  const lock = state === null ? null : takeLock(lockFile);
  if (state === null || lock === null) return null;
  const ground: Ground = { pools: new Map(), inherited: inheritedSockets({}, 0), emit };
  const recovery = recover(ground, state.pools, {});
  const leave = () => {
    recovery.giveUp();
    lock.release();
  };
  if (recovery.workers === 0) {
    leave();
    return null;
  }
  return {
    pid: state.pid,
    workers: recovery.workers,
    addresses: [...new Set(state.pools.map(({ address }) => addressText(address)))],
    async end(word) {
      if (word === "stop") recovery.hurry();
      await recovery.dismiss();
      removeState(stateDir);
      rmSync(lockFile, { force: true });
      leave();
    },
    leave,
  };
}

function stateOf(stateDir: string): State | null {
  try {
    return readState(stateDir);
  } catch {
    // Spoilt, or not ours to read: a start tells.
    return null;
  }
}
