// The state directory: made if need be, refused where somebody else could write in it, and locked,
// because two supervisors on one would undo each other's work.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { stateDirDefault } from "../admin/default-place.ts";
import { removeIfEmpty } from "../admin/pointers.ts";
import { alreadyRunning } from "../admin/server.ts";
import { Fault } from "../fault.ts";
import { STATE_DIR_HINT } from "../supervisor/recovery/state-format.ts";
import { Lock } from "../sys/lock.ts";
import { refuseExposed } from "../sys/trust.ts";

export class StateDir {
  private readonly path: string;
  private readonly held: Lock;

  private constructor(path: string, held: Lock) {
    this.path = path;
    this.held = held;
  }

  /** Makes and locks it; what it holds is believed, so nobody else may be able to write in it. `handedLock`: the lock that the program before this one held, after an upgrade. */
  static claim(path: string, handedLock: number | null): StateDir {
    make(path);
    try {
      const held = handedLock === null ? lockFile(lockPath(path)) : new Lock(handedLock);
      if (held === null) throw alreadyRunning(lockPath(path));
      return new StateDir(path, held);
    } catch (error) {
      removeIfEmpty(path);
      throw error;
    }
  }

  /** The descriptor of its lock. */
  get lock(): number {
    return this.held.fd;
  }

  /** Lets go of the lock, and removes the directory when nothing is left in it. */
  release(): void {
    rmSync(lockPath(this.path), { force: true });
    this.held.release();
    removeIfEmpty(this.path);
  }
}

function lockPath(stateDir: string): string {
  return join(stateDir, "lock");
}

function make(path: string): void {
  const hint = path === stateDirDefault() ? DEFAULT_HINT : STATE_DIR_HINT;
  // Before anything is made there, and once more, because somebody may have been quicker.
  refuseExposed(path, "the state directory", hint);
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new Fault("cannot make the state directory", {
      where: path,
      hint: "make its parent writable, or set another [supervisor] state_dir",
      cause: error,
    });
  }
  refuseExposed(path, "the state directory", hint);
}

/** In /tmp anybody can be there first. */
const DEFAULT_HINT = "set $XDG_RUNTIME_DIR to a folder of this user's, or [supervisor] state_dir";

function lockFile(path: string): Lock | null {
  try {
    return Lock.take(path);
  } catch (error) {
    throw new Fault("cannot write in the state directory", {
      where: path,
      hint: "make it writable for this user, or set another [supervisor] state_dir",
      cause: error,
    });
  }
}
