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

export const LINE_CONTINUES = " [line continues]";
const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** What an unfinished line costs besides its bytes, about. */
const LINE_OVERHEAD = 256;

export class LineAssembler {
  private readonly maxLine: number;
  private readonly maxTotal: number;
  private readonly onLine: LineAssemblerOptions["onLine"];
  // A BOM is the worker's text as well, not ours to drop.
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The unfinished line of each process, the one that began first at the front. */
  private readonly unfinished = new Map<number, GrowingLine>();
  /** Bytes that they take. */
  private total = 0;

  constructor(options: LineAssemblerOptions) {
    this.maxLine = options.maxLine ?? 64 * 1024;
    this.maxTotal = options.maxTotal ?? 4 * 1024 * 1024;
    this.onLine = options.onLine;
  }

  /** The chunk is not kept. */
  feed(pid: number, chunk: Uint8Array): void {
    let rest = chunk;
    for (let at = rest.indexOf(NEWLINE); at >= 0; at = rest.indexOf(NEWLINE)) {
      this.finish(pid, join(this.take(pid), rest.subarray(0, at)));
      rest = rest.subarray(at + 1);
    }
    if (rest.length > 0) this.store(pid, rest);
  }

  /** The process (without a pid: every one) writes no more: delivers its unfinished line. */
  end(pid?: number): void {
    for (const each of pid === undefined ? [...this.unfinished.keys()] : [pid]) {
      const line = this.take(each);
      if (line !== undefined) this.finish(each, line);
    }
  }

  private finish(pid: number, line: Uint8Array): void {
    const end = line.at(-1) === RETURN ? line.length - 1 : line.length;
    const last = this.deliverPieces(pid, line.subarray(0, end), this.maxLine);
    this.deliver(pid, last, "");
  }

  private store(pid: number, bytes: Uint8Array): void {
    const line = this.unfinished.get(pid) ?? new GrowingLine();
    if (!this.unfinished.has(pid)) this.total += LINE_OVERHEAD;
    this.unfinished.set(pid, line);
    this.total -= line.size;
    line.append(bytes);
    // One byte more than a line may have is kept: it can be the \r of its end.
    const rest = this.deliverPieces(pid, line.bytes, this.maxLine + 1);
    if (rest.length < line.bytes.length) line.keepOnly(rest);
    this.total += line.size;
    while (this.total > this.maxTotal && this.unfinished.size > 0) this.cutOldest();
  }

  private cutOldest(): void {
    const [pid] = this.unfinished.keys();
    this.deliver(pid!, this.take(pid!)!, LINE_CONTINUES);
  }

  /** Delivers all but the last piece of a line longer than `limit`, and returns that one. */
  private deliverPieces(pid: number, line: Uint8Array, limit: number): Uint8Array {
    let rest = line;
    while (rest.length > limit) {
      const at = characterBorder(rest, this.maxLine);
      this.deliver(pid, rest.subarray(0, at), LINE_CONTINUES);
      rest = rest.subarray(at);
    }
    return rest;
  }

  private take(pid: number): Uint8Array | undefined {
    const line = this.unfinished.get(pid);
    if (line === undefined) return undefined;
    this.unfinished.delete(pid);
    this.total -= line.size + LINE_OVERHEAD;
    return line.bytes;
  }

  private deliver(pid: number, bytes: Uint8Array, suffix: string): void {
    this.onLine(pid, escapeControls(this.decoder.decode(bytes)) + suffix);
  }
}

/** Bytes in a buffer that doubles, so that a line written byte by byte is not copied each time. */
class GrowingLine {
  private buffer = new Uint8Array(0);
  private length = 0;

  /** Bytes that it takes. */
  get size(): number {
    return this.buffer.length;
  }
  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  append(bytes: Uint8Array): void {
    const needed = this.length + bytes.length;
    if (needed > this.buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.buffer.length * 2));
      larger.set(this.bytes);
      this.buffer = larger;
    }
    this.buffer.set(bytes, this.length);
    this.length = needed;
  }

  keepOnly(rest: Uint8Array): void {
    this.buffer = rest.slice();
    this.length = rest.length;
  }
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
