// Puts together the lines that workers write. What arrives are chunks as write(2) made them, each
// with the pid of its writer: a chunk can hold many lines or a part of one, and end inside a
// character. Lines of different processes are assembled apart, and a process that never ends its
// lines costs a bounded amount of memory.

import { escapeControls } from "./escape.ts";

export interface LineAssemblerOptions {
  /** Bytes; a longer line is delivered in pieces. Default 64 KiB. */
  readonly maxLine?: number;
  /** Bytes that unfinished lines of all processes may take together. Default 4 MiB. */
  readonly maxTotal?: number;
  /** A line without its end; safe to print (see escapeControls), wrong UTF-8 shown as U+FFFD. */
  readonly onLine: (pid: number, text: string) => void;
}

export interface LineAssembler {
  /** The chunk is not kept. */
  feed(pid: number, chunk: Uint8Array): void;
  /** The process (without a pid: every one) writes no more: delivers its unfinished line. */
  end(pid?: number): void;
}

export const LINE_CONTINUES = " [line continues]";
const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** What an unfinished line costs besides its bytes, about. */
const LINE_OVERHEAD = 256;

export function createLineAssembler(options: LineAssemblerOptions): LineAssembler {
  const { maxLine = 64 * 1024, maxTotal = 4 * 1024 * 1024, onLine } = options;
  // A BOM is the worker's text as well, not ours to drop.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The unfinished line of each process, the one that began first at the front. */
  const unfinished = new Map<number, Growing>();
  let total = 0;

  function feed(pid: number, chunk: Uint8Array): void {
    let rest = chunk;
    for (let at = rest.indexOf(NEWLINE); at >= 0; at = rest.indexOf(NEWLINE)) {
      finish(pid, join(take(pid), rest.subarray(0, at)));
      rest = rest.subarray(at + 1);
    }
    if (rest.length > 0) store(pid, rest);
  }

  function finish(pid: number, line: Uint8Array): void {
    const end = line.at(-1) === RETURN ? line.length - 1 : line.length;
    const last = deliverPieces(pid, line.subarray(0, end), maxLine);
    deliver(pid, last, "");
  }

  function store(pid: number, bytes: Uint8Array): void {
    const line = unfinished.get(pid) ?? { buffer: new Uint8Array(0), length: 0 };
    if (!unfinished.has(pid)) total += LINE_OVERHEAD;
    unfinished.set(pid, line);
    total -= line.buffer.length;
    append(line, bytes);
    // One byte more than a line may have is kept: it can be the \r of its end.
    const rest = deliverPieces(pid, line.buffer.subarray(0, line.length), maxLine + 1);
    if (rest.length < line.length) keepOnly(line, rest);
    total += line.buffer.length;
    while (total > maxTotal && unfinished.size > 0) cutOldest();
  }

  function cutOldest(): void {
    const [pid] = unfinished.keys();
    deliver(pid!, take(pid!)!, LINE_CONTINUES);
  }

  /** Delivers all but the last piece of a line longer than `limit`, and returns that one. */
  function deliverPieces(pid: number, line: Uint8Array, limit: number): Uint8Array {
    let rest = line;
    while (rest.length > limit) {
      const at = characterBorder(rest, maxLine);
      deliver(pid, rest.subarray(0, at), LINE_CONTINUES);
      rest = rest.subarray(at);
    }
    return rest;
  }

  function take(pid: number): Uint8Array | undefined {
    const line = unfinished.get(pid);
    if (line === undefined) return undefined;
    unfinished.delete(pid);
    total -= line.buffer.length + LINE_OVERHEAD;
    return line.buffer.subarray(0, line.length);
  }

  function deliver(pid: number, bytes: Uint8Array, suffix: string): void {
    onLine(pid, escapeControls(decoder.decode(bytes)) + suffix);
  }

  function end(pid?: number): void {
    for (const each of pid === undefined ? [...unfinished.keys()] : [pid]) {
      const line = take(each);
      if (line !== undefined) finish(each, line);
    }
  }

  return { feed, end };
}

/** Bytes in a buffer that doubles, so that a line written byte by byte is not copied each time. */
interface Growing {
  buffer: Uint8Array;
  length: number;
}

function append(line: Growing, bytes: Uint8Array): void {
  const needed = line.length + bytes.length;
  if (needed > line.buffer.length) {
    const larger = new Uint8Array(Math.max(needed, line.buffer.length * 2));
    larger.set(line.buffer.subarray(0, line.length));
    line.buffer = larger;
  }
  line.buffer.set(bytes, line.length);
  line.length = needed;
}

function keepOnly(line: Growing, rest: Uint8Array): void {
  line.buffer = rest.slice();
  line.length = rest.length;
}

function join(first: Uint8Array | undefined, second: Uint8Array): Uint8Array {
  if (first === undefined) return second;
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

/** The last place up to `limit` where no UTF-8 character is cut; `limit` in what is no UTF-8. */
function characterBorder(bytes: Uint8Array, limit: number): number {
  for (let at = limit; at > limit - 4 && at > 0; at--) {
    if ((bytes[at]! & 0xc0) !== 0x80) return at;
  }
  return limit;
}

/** Longest line that a tail keeps, in UTF-16 units; it is for a message, not for the record. */
const TAIL_WIDTH = 1000;

export interface Tail {
  push(text: string): void;
  /** Oldest first. */
  lines(): string[];
}

/** Keeps the last lines a worker wrote, for a message about its end. */
export function createTail(lines: number): Tail {
  const kept: string[] = [];
  return {
    push(text) {
      kept.push(text.length > TAIL_WIDTH ? `${text.slice(0, TAIL_WIDTH)}…` : text);
      if (kept.length > lines) kept.shift();
    },
    lines: () => [...kept],
  };
}
