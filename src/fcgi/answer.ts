// Collects what the program sends for one request: its stdout, its stderr, and how it ended. It
// knows no socket, so every way of cutting the stream into chunks can be tested.

import { Fault } from "../fault.ts";
import { RecordDecoder } from "./decoder.ts";
import { decodeEndRequest, type EndRequest, joined, RECORD } from "./record.ts";

export interface Answer {
  readonly stdout: Uint8Array;
  readonly stderr: string;
  readonly end: EndRequest;
}

export interface AnswerReader {
  /** Takes the next chunk; returns the answer once the request has ended. Throws Faults. */
  feed(chunk: Uint8Array): Answer | null;
  /** Bytes of stdout so far. */
  received(): number;
}

/** More of stderr is dropped; a program in a loop must not fill our memory. */
const STDERR_MAX = 4 * 1024 * 1024;

/** Reads the answer to the request with this id; `limit` is in bytes of stdout. */
export function createAnswerReader(requestId: number, limit: number): AnswerReader {
  const decoder = new RecordDecoder();
  const stdout = createPile();
  const stderr = createPile();

  function take(type: number, content: Uint8Array): Answer | null {
    if (type === RECORD.endRequest) {
      const text = Buffer.from(joined(stderr.parts)).toString("utf8");
      return { stdout: joined(stdout.parts), stderr: text, end: decodeEndRequest(content) };
    }
    if (type === RECORD.stdout) stdout.add(content);
    if (type === RECORD.stderr && stderr.size() < STDERR_MAX) stderr.add(content);
    if (stdout.size() > limit) throw new Fault(`the answer is longer than ${limit} bytes`);
    return null;
  }

  return {
    feed(chunk) {
      for (const record of decoder.feed(chunk)) {
        if (record.requestId !== requestId) continue;
        const answer = take(record.type, record.content);
        if (answer) return answer;
      }
      return null;
    },
    received: stdout.size,
  };
}

function createPile() {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  return {
    parts,
    size: () => bytes,
    add(part: Uint8Array) {
      parts.push(part);
      bytes += part.length;
    },
  };
}
