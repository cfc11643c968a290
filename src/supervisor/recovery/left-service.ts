// A service whose supervisor has died, and that none has taken over: its workers keep serving, and a stop
// must end them, because nobody else would.

import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Emit } from "../../event.ts";
import { Scoreboard } from "../../observe/scoreboard.ts";
import { InheritedSockets } from "../../socket/inherited.ts";
import { addressText } from "../../sys/socket/address.ts";
import { Lock } from "../../sys/lock.ts";
import { removeLeftSettings } from "../../worker/settings-file.ts";
import { History } from "../history.ts";
import { Recovery } from "./recovery.ts";
import { readState, removeState, type State } from "./state-file.ts";

export class LeftService {
  private readonly stateDir: string;
  private readonly state: State;
  private readonly lock: Lock;
  private readonly recovery: Recovery;
  private readonly history: History;

  private constructor(stateDir: string, state: State, lock: Lock, emit: Emit) {
    this.stateDir = stateDir;
    this.state = state;
    this.lock = lock;
    const inherited = new InheritedSockets({}, 0);
    const context = { pools: new Map(), scoreboard: new Scoreboard(), inherited, emit };
    this.history = new History(stateDir, emit);
    this.recovery = new Recovery(context, { records: state.pools, masters: new Map() }, {});
  }

  /** null when nothing is left, or when a supervisor lives. Until `leave` or `end` no supervisor can start. */
  static find(stateDir: string, emit: Emit): LeftService | null {
    const state = stateOf(stateDir);
    const lock = state === null ? null : Lock.take(lockFile(stateDir));
    if (state === null || lock === null) return null;
    const left = new LeftService(stateDir, state, lock, emit);
    if (left.workers > 0) return left;
    left.leave();
    return null;
  }

  /** Processes that still serve. */
  get workers(): number {
    return this.recovery.workers;
  }
  get addresses(): readonly string[] {
    return [...new Set(this.state.pools.map(({ address }) => addressText(address)))];
  }
  /** Process id of the supervisor that has died. */
  get pid(): number {
    return this.state.pid;
  }

  /** stop: TERM at once; quit: each after its request. Removes the state, too. */
  async end(word: "stop" | "quit"): Promise<void> {
    await this.recovery.end(word);
    removeState(this.stateDir);
    removeLeftSettings(this.stateDir);
    this.history.remove();
    rmSync(lockFile(this.stateDir), { force: true });
    this.lock.release();
  }

  /** Leaves everything as it is. */
  leave(): void {
    this.recovery.abandon();
    this.lock.release();
  }
}

function lockFile(stateDir: string): string {
  return join(stateDir, "lock");
}

function stateOf(stateDir: string): State | null {
  try {
    return readState(stateDir);
  } catch {
    // Spoilt, or not ours to read: a start tells.
    return null;
  }
}
