// Who has connected to us over a Unix socket, in words for the log and the operator. Apart from the bare
// credentials, because a control command needs no look into /proc.

import { processStat } from "../proc/procfs.ts";
import { nameOf } from "../trust.ts";
import { credentials, type Credentials } from "./credentials.ts";

export interface Peer extends Credentials {
  /** Name of the user. */
  readonly user: string;
  /** Name of its program; null: it has ended, or cannot be seen. */
  readonly command: string | null;
}

/** The process that connected to us; null when the kernel cannot say. */
export function peerOf(fd: number): Peer | null {
  const found = credentials(fd);
  if (found === null) return null;
  return { ...found, user: nameOf(found.uid), command: processStat(found.pid)?.command ?? null };
}
