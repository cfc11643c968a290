// A lock that dies with its holder, however that dies (flock(2)).

import { closeSync, constants, openSync } from "node:fs";
import { libc } from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
/** No link is followed, and a pipe is not waited for. */
const FLAGS = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK;

export class Lock {
  readonly fd: number;

  /** A lock that this process already holds, through a descriptor it was handed. */
  constructor(fd: number) {
    this.fd = fd;
  }

  /** Takes the lock of this file, which is made if need be; null when somebody else has it. */
  static take(path: string): Lock | null {
    const fd = openSync(path, FLAGS, 0o600);
    if (libc.flock(fd, LOCK_EX | LOCK_NB) === 0) return new Lock(fd);
    closeSync(fd);
    return null;
  }

  release(): void {
    closeSync(this.fd);
  }
}
