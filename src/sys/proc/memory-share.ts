// How much memory a process takes of its own, and its share of what it has in common with others (proc(5),
// smaps_rollup). The kernel walks all that it maps, and may wait for it: read with a limit in time.

import { closeSync, openSync } from "node:fs";
import { asOwnerOf } from "./eyes.ts";
import { timedRead } from "./timed-read.ts";

const MOST_BYTES = 4096;

export interface MemoryShare {
  /** Its own, and its share of the rest: the sum over processes is what they take together. Bytes. */
  readonly pss: number;
  /** What would be free without it. Bytes. */
  readonly private: number;
}

/** null: not ours to see, gone, or not told in time ("stuck"). */
export function memoryShare(pid: number): MemoryShare | "stuck" | null {
  let fd: number;
  try {
    fd = asOwnerOf(pid, () => openSync(`/proc/${pid}/smaps_rollup`, "r"));
  } catch {
    return null;
  }
  const read = timedRead(fd, 0, MOST_BYTES);
  if (read.got === "stuck") return "stuck";
  closeSync(fd);
  return read.got === "bytes" ? shareIn(Buffer.from(read.bytes).toString("latin1")) : null;
}

function shareIn(text: string): MemoryShare | null {
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s*([0-9]+) kB$`, "m").exec(text)?.[1] ?? Number.NaN) * 1024;
  const [pss, clean, dirty] = [bytes("Pss"), bytes("Private_Clean"), bytes("Private_Dirty")];
  return Number.isFinite(pss + clean + dirty) ? { pss, private: clean + dirty } : null;
}
