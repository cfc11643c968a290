// The one way to stdout and stderr for what a command has to say. process.stdout loses what a pipe does not take at
// once when the process exits, and reports a full disk after that, to nobody; a command that says "done"
// must have said it. (`run` does not come here: a supervisor waits for no reader.)

import { Fault } from "../fault.ts";
import { escapeLines, jsonText } from "../log/escape.ts";
import { block } from "../sys/clock.ts";
import { writeSome } from "../sys/file.ts";
import { SysError } from "../sys/libc.ts";

const STDOUT = 1;
const STDERR = 2;
const RETRY_MS = 5;

/**
 * Writes a text for people to stdout, all of it, waiting for a slow reader; false when the reader has seen
 * enough and gone (`| head`). What would act on a terminal is shown as an escape: the text may hold what a
 * request or another program said. Throws a Fault when it cannot be written; `done` then tells what was done
 * all the same.
 */
export function print(text: string, done?: string): boolean {
  return put(escapeLines(text), done);
}

/** The same for JSON, indented for people. */
export function printJson(value: unknown, done?: string): boolean {
  return put(`${jsonText(value, 2)}\n`, done);
}

/** The same as one line of a stream. */
export function printJsonLine(value: unknown): boolean {
  return put(`${jsonText(value)}\n`);
}

/**
 * The same for a text whose every part has been made safe already, and may be painted; or for what is to come out
 * as it is (print-data.ts).
 */
export function printAsItIs(data: string | Uint8Array): boolean {
  return put(data);
}

/** A text for people to stderr; where nobody can be told, there is nobody to tell it. */
export function printError(text: string): void {
  try {
    writeAll(STDERR, escapeLines(text));
  } catch {
    // stderr is closed, or its disk is full.
  }
}

function put(data: string | Uint8Array, done?: string): boolean {
  try {
    writeAll(STDOUT, data);
    return true;
  } catch (error) {
    if (codeOf(error) === "EPIPE") return false;
    throw new Fault("cannot write the output", {
      where: "stdout",
      hint: done ?? "make room where the output goes, or send it elsewhere, and try again",
      cause: error,
    });
  }
}

function writeAll(fd: number, text: string | Uint8Array): void {
  let left: Uint8Array = typeof text === "string" ? new TextEncoder().encode(text) : text;
  while (left.length > 0) {
    try {
      left = left.subarray(writeSome(fd, left));
    } catch (error) {
      const code = codeOf(error);
      // A terminal or pipe that somebody else made non-blocking.
      if (code === "EAGAIN") block(RETRY_MS);
      else if (code !== "EINTR") throw error;
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof SysError ? error.code : "";
}
