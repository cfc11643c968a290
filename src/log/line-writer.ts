// Gets whole lines out through a descriptor that may fail, and never troubles its caller with that.
// What could not be written is counted, and said in the log itself as soon as writing works again.
// Every line is handed to the kernel before `write` returns, so that a killed supervisor loses
// nothing it had logged; only a reader that stalls makes lines wait, and only so many.

import * as clock from "../sys/clock.ts";

/** Writes some of the bytes and says how many. Throws errors with a `code`; EAGAIN means: later. */
export type Put = (bytes: Uint8Array) => number;

export interface LineWriter {
  /** Writes a record that ends with a newline. Never throws, and waits only as long as `put` does. */
  write(record: string): void;
  /** From now on writes elsewhere, having tried to finish here what was begun here. */
  redirect(put: Put): void;
  /** Tries what is left once more, waits up to CLOSE_WAIT_MS for a reader that stalls, and ends. */
  close(): void;
}

/** Bytes that may wait for a reader that stalls; lines beyond that are lost. */
export const QUEUE_BYTES = 256 * 1024;
const RETRY_STALLED_MS = 50;
const RETRY_FAILED_MS = 1000;
const CLOSE_WAIT_MS = 200;
const CLOSE_STEP_MS = 10;

/** `announce` makes the record that tells of lost lines. */
export function createLineWriter(
  firstPut: Put,
  announce: (lines: number, why: string) => string,
): LineWriter {
  const encoder = new TextEncoder();
  let put = firstPut;
  /** Whole records; of the first one a part may be out already. */
  const waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let firstIsBegun = false;
  let lost = { lines: 0, why: "" };
  let cancelRetry: (() => void) | null = null;

  function write(record: string): void {
    const bytes = encoder.encode(record);
    const blocked = drain();
    const failure = blocked ?? attempt(put, bytes);
    if (failure === null) return;
    if (blocked === null && failure.left.length < bytes.length) begin(failure.left);
    else keep(bytes, failure);
    retryLater(failure);
  }

  /** Writes what is older than the next line: what waits, then how much was lost. */
  function drain(): Failure | null {
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      const failure = attempt(put, first);
      waiting.shift();
      waitingBytes -= first.length;
      if (failure !== null) return putBack(first, failure);
      firstIsBegun = false;
    }
    return lost.lines === 0 ? null : tellLost();
  }

  function putBack(first: Uint8Array, failure: Failure): Failure {
    waiting.unshift(failure.left);
    waitingBytes += failure.left.length;
    firstIsBegun ||= failure.left.length < first.length;
    return failure;
  }

  function tellLost(): Failure | null {
    const bytes = encoder.encode(announce(lost.lines, lost.why));
    const failure = attempt(put, bytes);
    if (failure?.left.length === bytes.length) return failure;
    lost = { lines: 0, why: "" };
    if (failure !== null) begin(failure.left);
    return failure;
  }

  /** A part of a line is out: its rest goes out before anything else, so that lines never mix. */
  function begin(left: Uint8Array): void {
    waiting.push(left);
    waitingBytes += left.length;
    firstIsBegun = true;
  }

  /** Once a line is lost, so are the next, until the gap can be announced where it is. */
  function keep(bytes: Uint8Array, failure: Failure): void {
    const fits = waitingBytes + bytes.length <= QUEUE_BYTES;
    if (!failure.stalled || lost.lines > 0 || !fits) return lose(failure.why);
    waiting.push(bytes);
    waitingBytes += bytes.length;
  }

  function lose(why: string): void {
    lost = { lines: lost.lines + 1, why: lost.lines === 0 ? why : lost.why };
  }

  function retryLater(failure: Failure): void {
    cancelRetry ??= clock.after(failure.stalled ? RETRY_STALLED_MS : RETRY_FAILED_MS, () => {
      cancelRetry = null;
      const again = drain();
      if (again !== null) retryLater(again);
    });
  }

  function redirect(newPut: Put): void {
    const failure = drain();
    if (failure !== null && firstIsBegun) {
      waitingBytes -= waiting.shift()!.length;
      firstIsBegun = false;
      lose(failure.why);
    }
    put = newPut;
    const again = drain();
    if (again !== null) retryLater(again);
  }

  function close(): void {
    let failure = drain();
    for (let ms = 0; failure?.stalled === true && ms < CLOSE_WAIT_MS; ms += CLOSE_STEP_MS) {
      clock.block(CLOSE_STEP_MS);
      failure = drain();
    }
    cancelRetry?.();
  }

  return { write, redirect, close };
}

interface Failure {
  /** What is still to be written: all of it, or the rest. */
  readonly left: Uint8Array;
  /** Nothing is wrong but that the reader has to catch up. */
  readonly stalled: boolean;
  readonly why: string;
}

/** Writes all of it, however many calls that takes; null when it is out. */
function attempt(put: Put, bytes: Uint8Array): Failure | null {
  let left = bytes;
  while (left.length > 0) {
    try {
      const written = put(left);
      if (written <= 0) return { left, stalled: false, why: "the write took nothing" };
      left = left.subarray(written);
    } catch (error) {
      const code = codeOf(error);
      if (code === "EINTR") continue;
      return { left, stalled: code === "EAGAIN", why: reason(error, code) };
    }
  }
  return null;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** `ENOSPC: no space left on device`, from the runtime's message that also names the call. */
function reason(error: unknown, code: string): string {
  if (code === "EAGAIN") return "EAGAIN: its reader did not keep up";
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/, (write|send)$/, "");
}
