// Gets whole lines out through a descriptor that may fail, and never troubles its caller with that.
// What could not be written is counted, and said in the log itself as soon as writing works again.
// Every line is handed to the kernel before `write` returns, so that a killed supervisor loses
// nothing it had logged; only a reader that stalls makes lines wait, and only so many.

import * as clock from "../sys/clock.ts";
import type { AnnounceLost } from "./target.ts";

/** Writes some of the bytes and says how many. Throws errors with a `code`; EAGAIN means: later. */
export type Put = (bytes: Uint8Array) => number;

/** Bytes that may wait for a reader that stalls; lines beyond that are lost. */
export const QUEUE_BYTES = 256 * 1024;
const RETRY_STALLED_MS = 50;
const RETRY_FAILED_MS = 1000;
const CLOSE_WAIT_MS = 200;
const CLOSE_STEP_MS = 10;

export class LineWriter {
  private put: Put;
  private readonly announce: AnnounceLost;
  private readonly encoder = new TextEncoder();
  /** Whole records; of the first one a part may be out already. */
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private firstIsBegun = false;
  private lost = { lines: 0, why: "" };
  private cancelRetry: (() => void) | null = null;

  /** `announce` makes the record that tells of lost lines. */
  constructor(put: Put, announce: AnnounceLost) {
    this.put = put;
    this.announce = announce;
  }

  /** Writes a record that ends with a newline. Never throws, and waits only as long as `put` does. */
  write(record: string): void {
    const bytes = this.encoder.encode(record);
    const blocked = this.drain();
    const failure = blocked ?? attempt(this.put, bytes);
    if (failure === null) return;
    if (blocked === null && failure.left.length < bytes.length) this.begin(failure.left);
    else this.keep(bytes, failure);
    this.retryLater(failure);
  }

  /** From now on writes elsewhere, having tried to finish here what was begun here. */
  redirect(put: Put): void {
    const failure = this.drain();
    if (failure !== null && this.firstIsBegun) {
      this.waitingBytes -= this.waiting.shift()!.length;
      this.firstIsBegun = false;
      this.lose(failure.why);
    }
    this.put = put;
    const again = this.drain();
    if (again !== null) this.retryLater(again);
  }

  /** Tries what is left once more, waits up to CLOSE_WAIT_MS for a reader that stalls, and ends. */
  close(): void {
    let failure = this.drain();
    for (let ms = 0; failure?.stalled === true && ms < CLOSE_WAIT_MS; ms += CLOSE_STEP_MS) {
      clock.block(CLOSE_STEP_MS);
      failure = this.drain();
    }
    this.cancelRetry?.();
  }

  /** Writes what is older than the next line: what waits, then how much was lost. */
  private drain(): Failure | null {
    for (let first = this.waiting[0]; first !== undefined; first = this.waiting[0]) {
      const failure = attempt(this.put, first);
      this.waiting.shift();
      this.waitingBytes -= first.length;
      if (failure !== null) return this.putBack(first, failure);
      this.firstIsBegun = false;
    }
    return this.lost.lines === 0 ? null : this.tellLost();
  }

  private putBack(first: Uint8Array, failure: Failure): Failure {
    this.waiting.unshift(failure.left);
    this.waitingBytes += failure.left.length;
    this.firstIsBegun ||= failure.left.length < first.length;
    return failure;
  }

  private tellLost(): Failure | null {
    const bytes = this.encoder.encode(this.announce(this.lost.lines, this.lost.why));
    const failure = attempt(this.put, bytes);
    if (failure?.left.length === bytes.length) return failure;
    this.lost = { lines: 0, why: "" };
    if (failure !== null) this.begin(failure.left);
    return failure;
  }

  /** A part of a line is out: its rest goes out before anything else, so that lines never mix. */
  private begin(left: Uint8Array): void {
    this.waiting.push(left);
    this.waitingBytes += left.length;
    this.firstIsBegun = true;
  }

  /** Once a line is lost, so are the next, until the gap can be announced where it is. */
  private keep(bytes: Uint8Array, failure: Failure): void {
    const fits = this.waitingBytes + bytes.length <= QUEUE_BYTES;
    if (!failure.stalled || this.lost.lines > 0 || !fits) return this.lose(failure.why);
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
  }

  private lose(why: string): void {
    const { lines } = this.lost;
    this.lost = { lines: lines + 1, why: lines === 0 ? why : this.lost.why };
  }

  private retryLater(failure: Failure): void {
    const delay = failure.stalled ? RETRY_STALLED_MS : RETRY_FAILED_MS;
    this.cancelRetry ??= clock.after(delay, () => {
      this.cancelRetry = null;
      const again = this.drain();
      if (again !== null) this.retryLater(again);
    });
  }
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
