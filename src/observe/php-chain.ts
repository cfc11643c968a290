// The frames of a PHP stack as they stand in memory, while the process runs on: a copy of the engine's stack is
// made in one piece, and it counts for certain only when the frame that runs was the same before and after.
// What two copies have in common counts when it never is.

import { type Bytes, isPlace, type LimitedMemory } from "./memory-bytes.ts";
import { FRAME } from "./php-layout.ts";
import type { PhpProgram } from "./php-program.ts";

/** A frame whose names are not known yet. */
export interface RawFrame {
  readonly address: number;
  /** Of its zend_function. */
  readonly function: number;
  /** Of the instruction it is at; of an internal function it says nothing. */
  readonly opline: number;
}

export type Chain =
  /** Top first. */
  | {
      readonly got: "frames";
      readonly frames: readonly RawFrame[];
      /** There are more below. */
      readonly isCut: boolean;
      /** What is above these came and went faster than it could be read. */
      readonly isMoving: boolean;
      /** Differs from one request to the next; null: that cannot be told. */
      readonly request: string | null;
    }
  /** No PHP code runs. */
  | { readonly got: "nothing" }
  | { readonly got: "unsure" };

const TRIES = 6;
/** Bytes below a frame that are copied with it: most stacks are shorter. */
const FIRST_WINDOW = 4096;
/** And above it, for what is called meanwhile. */
const HEADROOM = 1024;
const LARGEST_WINDOW = 64 * 1024;
const PAGE = 4096;
/** zend_generator's placeholder, and the like, are frames of no function; so many of them are none. */
const EMPTY_MOST = 1000;
/** Bytes of the engine's variables that are read in one piece. */
const GLOBALS_MOST = 8192;
/** Of sapi_globals, up to when the request began. */
const REQUEST_BYTES = 448;
/** And in there: the request's own pointers, and when it began. */
const REQUEST_PARTS = [
  [0, 56],
  [424, REQUEST_BYTES],
] as const;

/** `expected`: the address of the frame that ran at an earlier look, or 0. */
export function readChain(
  program: PhpProgram,
  memory: LimitedMemory,
  most: number,
  expected = 0,
): Chain {
  let before: readonly RawFrame[] | null = null;
  let guess = expected;
  for (let tries = 0; tries < TRIES; tries++) {
    const look = lookOnce(program, memory, guess, most);
    if (look === "nothing") return { got: "nothing" };
    guess = 0;
    if (look === null) continue;
    const { frames, isCut, isExact, request } = look;
    if (isExact) return { got: "frames", frames, isCut, isMoving: false, request };
    const common = isCut || before === null ? [] : commonBelow(frames, before);
    if (tries === TRIES - 1 && common.length > 0)
      return { got: "frames", frames: common, isCut, isMoving: true, request };
    before = isCut ? null : frames;
  }
  return { got: "unsure" };
}

interface Look {
  readonly frames: readonly RawFrame[];
  readonly isCut: boolean;
  /** The same frame ran before and after. */
  readonly isExact: boolean;
  readonly request: string | null;
}

/** null: what was read makes no sense. */
function lookOnce(
  program: PhpProgram,
  memory: LimitedMemory,
  expected: number,
  most: number,
): Look | "nothing" | null {
  const globals = globalsOf(program);
  const current = { offset: globals.current, length: 8 };
  const guess = expected || (memory.read(current.offset, current.length)?.word(0) ?? null);
  if (guess === 0) return "nothing";
  if (guess === null || !isPlace(guess)) return null;
  const window = { offset: Math.max(0, guess - FIRST_WINDOW), length: FIRST_WINDOW + HEADROOM };
  const [first, copy, last] = memory.readAll([globals.range, window, current]);
  const top = first?.word(globals.current - globals.range.offset);
  if (first == null || top === 0) return top === 0 ? "nothing" : null;
  if (top === undefined || !isPlace(top)) return null;
  const copies = new Copies(memory, copy ?? null);
  const walked = walk(top, copies, program.layout.caller, most);
  if (walked === null) return null;
  const end = copies.wereLater ? memory.read(current.offset, current.length) : last;
  const isExact = last?.word(0) === top && end?.word(0) === top;
  return { ...walked, isExact, request: requestKey(first, program.sapiGlobals) };
}

/** The part of the engine's variables that is read: what tells the request, and the frame that runs. */
function globalsOf({ executorGlobals, sapiGlobals, layout }: PhpProgram) {
  const current = executorGlobals + layout.currentFrame;
  const start = Math.min(sapiGlobals, current);
  const length = Math.max(sapiGlobals + REQUEST_BYTES, current + 8) - start;
  // They stand close together in every PHP seen.
  const isNear = length <= GLOBALS_MOST;
  return { current, range: isNear ? { offset: start, length } : { offset: current, length: 8 } };
}

function requestKey({ address, all }: Bytes, sapiGlobals: number): string | null {
  const at = sapiGlobals - address;
  if (at < 0 || at + REQUEST_BYTES > all.length) return null;
  const bytes = Buffer.from(all.buffer, all.byteOffset + at, REQUEST_BYTES);
  return REQUEST_PARTS.map(([from, to]) => bytes.toString("latin1", from, to)).join("");
}

function walk(
  top: number,
  copies: Copies,
  caller: number,
  most: number,
): { readonly frames: readonly RawFrame[]; readonly isCut: boolean } | null {
  const frames: RawFrame[] = [];
  // Callers stand lower; a chain that goes in a circle comes up to the same place again.
  const upTo = new Set<number>();
  let empty = 0;
  for (let address = top; address !== 0;) {
    if (frames.length >= most) return { frames, isCut: true };
    if (!isPlace(address)) return null;
    const bytes = copies.around(address);
    if (bytes === null)
      return copies.areUsedUp && frames.length > 0 ? { frames, isCut: true } : null;
    const at = address - bytes.address;
    const callee = bytes.word(at + FRAME.function);
    if (callee === 0) {
      if (++empty > EMPTY_MOST) return null;
    } else {
      if (!isPlace(callee)) return null;
      frames.push({ address, function: callee, opline: bytes.word(at + FRAME.opline) });
    }
    const next = bytes.word(at + caller);
    if (next >= address) {
      if (upTo.has(next)) return null;
      upTo.add(next);
    }
    address = next;
  }
  return { frames, isCut: false };
}

/** Copies of parts of the engine's stack, which grows upwards. */
class Copies {
  private readonly memory: LimitedMemory;
  private readonly all: Bytes[];
  private size = FIRST_WINDOW;
  /** Something was copied after the first part. */
  wereLater = false;

  constructor(memory: LimitedMemory, first: Bytes | null) {
    this.memory = memory;
    this.all = first === null ? [] : [first];
  }

  get areUsedUp(): boolean {
    return this.memory.isUsedUp;
  }

  /** The copy that has the whole of a frame. */
  around(address: number): Bytes | null {
    for (let i = this.all.length - 1; i >= 0; i--) {
      const bytes = this.all[i]!;
      const at = address - bytes.address;
      if (at >= 0 && at + FRAME.bytes <= bytes.all.length) return bytes;
    }
    return this.copy(address);
  }

  private copy(address: number): Bytes | null {
    this.wereLater = true;
    this.size = Math.min(this.size * 2, LARGEST_WINDOW);
    // The memory below may belong to nobody; that of its page does not.
    const starts = [address - this.size, address - (address % PAGE), address];
    for (const start of starts) {
      if (start < 0) continue;
      const bytes = this.memory.read(start, address + FRAME.bytes - start);
      if (bytes === null) continue;
      this.all.push(bytes);
      return bytes;
    }
    return null;
  }
}

/** The frames at the lower end that two looks agree on; as they are in the first. */
function commonBelow(frames: readonly RawFrame[], others: readonly RawFrame[]): RawFrame[] {
  let count = 0;
  for (; count < Math.min(frames.length, others.length); count++) {
    const one = frames.at(-1 - count)!;
    const other = others.at(-1 - count)!;
    if (one.address !== other.address || one.function !== other.function) break;
  }
  return count === 0 ? [] : frames.slice(-count);
}
