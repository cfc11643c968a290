// The one way to stdout and stderr for what a command has to say. process.stdout loses what a pipe does not take at
// once when the process exits, and reports a full disk after that, to nobody; a command that says "done"
// must have said it. (`run` does not come here: a supervisor waits for no reader.)

// Imported whole, so that a test can listen.
import fs from "node:fs";
import { Fault } from "../fault.ts";
import { escapeLines, jsonText } from "../log/escape.ts";
import { block } from "../sys/clock.ts";

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

/** The same for what is to be stored or piped: it comes out as it is, except on a terminal. */
export function printData(data: string | Uint8Array): boolean {
  if (!isTerminal()) return put(data);
  return print(typeof data === "string" ? data : new TextDecoder().decode(data));
}

/** A text whose every part has been made safe already, and may be painted. */
export function printPainted(text: string): boolean {
  return put(text);
}

/** Whoever asks process.stdout makes it non-blocking, which is no harm to a terminal alone. */
function isTerminal(): boolean {
  try {
    return fs.fstatSync(STDOUT).isCharacterDevice() && process.stdout.isTTY;
  } catch {
    // It is closed.
    return false;
  }
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
      left = left.subarray(fs.writeSync(fd, left));
    } catch (error) {
      const code = codeOf(error);
      // A terminal or pipe that somebody else made non-blocking.
      if (code === "EAGAIN") block(RETRY_MS);
      else if (code !== "EINTR") throw error;
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
