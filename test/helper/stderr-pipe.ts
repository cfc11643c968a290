// What a program that stays writes to its stderr, through a pipe that is read whenever a test looks at
// the text. Read only by the event loop, it could lag behind what the test has seen of the program by
// another way, such as an answer on its control socket, or its end.

import { dlopen, ptr } from "bun:ffi";
import { closeSync, constants, openSync, readSync } from "node:fs";

const { symbols: libc } = dlopen("libc.so.6", {
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
});

const O_CLOEXEC = 0o2000000;
/** Nobody looks for a while: the program must not wait for room in the pipe. */
const DRAIN_EVERY_MS = 20;

export interface StderrPipe {
  /** For the program; to be given up here when it has been spawned. */
  readonly writeEnd: number;
  /** All that has been written so far. */
  readonly text: () => string;
  /** Reads no more. */
  readonly close: () => void;
}

export function stderrPipe(): StderrPipe {
  const [readEnd, writeEnd] = pipe();
  const chunk = Buffer.alloc(65_536);
  const decoder = new TextDecoder();
  let text = "";
  let open = true;
  const timer = setInterval(drain, DRAIN_EVERY_MS);
  timer.unref();

  function drain(): void {
    while (open) {
      const count = readNow(readEnd, chunk);
      if (count === "nothing-yet") return;
      if (count === 0) return close();
      text += decoder.decode(chunk.subarray(0, count), { stream: true });
    }
  }
  function close(): void {
    if (open) closeSync(readEnd);
    open = false;
    clearInterval(timer);
  }
  return { writeEnd, close, text: () => (drain(), text) };
}

/** A pipe whose one end is read without waiting, and whose other end is written as any pipe is. */
function pipe(): [readEnd: number, writeEnd: number] {
  const ends = new Int32Array(2);
  if (libc.pipe2(ptr(ends), O_CLOEXEC) !== 0) throw new Error("no pipe can be made");
  const [waiting, writeEnd] = ends as unknown as [number, number];
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const readEnd = openSync(`/proc/self/fd/${waiting}`, flags);
  closeSync(waiting);
  return [readEnd, writeEnd];
}

function readNow(fd: number, into: Buffer): number | "nothing-yet" {
  try {
    return readSync(fd, into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return "nothing-yet";
    throw error;
  }
}
