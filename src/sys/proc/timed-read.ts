// Reading what may never answer. A page of another process can be one that a file system of its own
// user has to bring (FUSE), and whoever reads it waits in the kernel as long as that user likes. So the
// read is done by a thread of the C library (aio(7)), and is given up after a moment. Never throws.

import { dlopen, type FFIFunction, type Pointer, ptr } from "bun:ffi";
import { closeSync } from "node:fs";
import { now } from "../clock.ts";

/** Milliseconds; memory that is there is read in microseconds. */
const MOST_MS = 50;
/** So many reads that nobody answers may be under way; then no more are begun. */
const STUCK_MOST = 4;

const SIGNATURES = {
  lio_listio: { args: ["i32", "ptr", "i32", "ptr"], returns: "i32" },
  aio_error: { args: ["ptr"], returns: "i32" },
  aio_return: { args: ["ptr"], returns: "i64" },
  aio_suspend: { args: ["ptr", "i32", "ptr"], returns: "i32" },
} as const satisfies Record<string, FFIFunction>;

/** Before glibc 2.34 they are in librt. */
const LIBRARIES = [
  "libc.so.6",
  "librt.so.1",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
] as const;

let library: ReturnType<typeof open> | undefined;

function open() {
  for (const name of LIBRARIES) {
    try {
      return dlopen(name, SIGNATURES).symbols;
    } catch {
      // Not this one.
    }
  }
  return null;
}

/** struct aiocb, the same in glibc and musl on 64 bit. */
const AIOCB = {
  bytes: 168,
  fd: 0,
  operation: 4,
  buffer: 16,
  length: 24,
  notify: 44,
  offset: 128,
} as const;
/** Bytes that are read at once, mostly. */
const DATA_BYTES = 16 * 1024;
const LIO_READ = 0;
const LIO_NOWAIT = 1;
const SIGEV_NONE = 1;
const EINPROGRESS = 115;

/** Bytes of a file, or of a process's memory. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

export type TimedRead =
  | { readonly got: "bytes"; readonly bytes: Uint8Array }
  /** There is nothing to read. */
  | { readonly got: "nothing" }
  /** Given up: the descriptor is kept, and must not be closed by who asked. */
  | { readonly got: "stuck" };

/** Ranges that are asked for at once. */
export const RANGES_MOST = 64;

/** At most `length` bytes at this offset of a descriptor. */
export function timedRead(fd: number, offset: number, length: number): TimedRead {
  return timedReads(fd, [{ offset, length }])[0]!;
}

/**
 * The same for several ranges, begun at once and read one straight after the other, which costs little more
 * than one, with next to no time in between. All are stuck when one is.
 */
export function timedReads(fd: number, ranges: readonly Range[]): readonly TimedRead[] {
  library ??= open();
  if (library === null || ranges.length > RANGES_MOST || !hasRoom())
    return ranges.map(() => ({ got: "nothing" }));
  arena ??= new Arena();
  const batch = arena;
  batch.begin(fd, ranges);
  if (batch.waitUntil(now() + MOST_MS))
    return ranges.map(({ length }, i) => batch.result(i, length));
  // The kernel may still write to it.
  stuck.add(batch);
  arena = null;
  return ranges.map(() => ({ got: "stuck" }));
}

/** Used again and again: to make control blocks anew costs several times what the reading does. */
let arena: Arena | null = null;

const stuck = new Set<Arena>();

/** Lets go of those that have ended meanwhile. */
function hasRoom(): boolean {
  for (const batch of stuck) {
    if (batch.isUnderWay) continue;
    batch.end();
    stuck.delete(batch);
  }
  return stuck.size < STUCK_MOST;
}

/** Control blocks for one batch of reads, and where what is read goes. Its addresses stay as they are. */
class Arena {
  private readonly control = new Uint8Array(AIOCB.bytes * RANGES_MOST);
  private readonly view = new DataView(this.control.buffer);
  private readonly address: number = ptr(this.control);
  private readonly list = new BigUint64Array(RANGES_MOST);
  private readonly listAddress: number = ptr(this.list);
  private readonly timeout = new BigInt64Array(2);
  private data = new Uint8Array(DATA_BYTES);
  private dataAddress: number = ptr(this.data);
  /** Where in `data` each begins. */
  private readonly starts = new Uint32Array(RANGES_MOST);
  private count = 0;
  private fd = -1;

  constructor() {
    for (let i = 0; i < RANGES_MOST; i++) this.list[i] = BigInt(this.block(i));
  }

  begin(fd: number, ranges: readonly Range[]): void {
    this.fd = fd;
    this.count = ranges.length;
    this.makeRoomFor(ranges);
    // What cannot be begun is left as it is here: ended, with nothing.
    this.control.fill(0, 0, AIOCB.bytes * ranges.length);
    let at = 0;
    for (let i = 0; i < ranges.length; i++) {
      const { offset, length } = ranges[i]!;
      const block = AIOCB.bytes * i;
      this.view.setInt32(block + AIOCB.fd, fd, true);
      this.view.setInt32(block + AIOCB.operation, LIO_READ, true);
      this.view.setInt32(block + AIOCB.notify, SIGEV_NONE, true);
      this.setWord(block + AIOCB.buffer, this.dataAddress + at);
      this.setWord(block + AIOCB.length, length);
      this.setWord(block + AIOCB.offset, offset);
      this.starts[i] = at;
      at += length;
    }
    library!.lio_listio(LIO_NOWAIT, this.listAddress as Pointer, ranges.length, null);
  }

  /** Whether all have ended in time. */
  waitUntil(time: number): boolean {
    for (let i = 0; i < this.count; i++) {
      while (this.isRunning(i)) {
        const left = time - now();
        if (left <= 0) return false;
        this.timeout[1] = BigInt(Math.ceil(left * 1e6));
        // A signal ends the wait early.
        library!.aio_suspend((this.listAddress + 8 * i) as Pointer, 1, ptr(this.timeout));
      }
    }
    return true;
  }

  /** Each once. */
  result(i: number, length: number): TimedRead {
    const count = Number(library!.aio_return(this.block(i) as Pointer));
    if (count <= 0 || count > length) return { got: "nothing" };
    const at = this.starts[i]!;
    return { got: "bytes", bytes: this.data.slice(at, at + count) };
  }

  get isUnderWay(): boolean {
    for (let i = 0; i < this.count; i++) if (this.isRunning(i)) return true;
    return false;
  }

  /** Lets go of a batch that was given up, and of its descriptor. */
  end(): void {
    for (let i = 0; i < this.count; i++) library!.aio_return(this.block(i) as Pointer);
    closeSync(this.fd);
  }

  private isRunning(i: number): boolean {
    return library!.aio_error(this.block(i) as Pointer) === EINPROGRESS;
  }

  private block(i: number): number {
    return this.address + AIOCB.bytes * i;
  }

  private setWord(at: number, value: number): void {
    this.view.setUint32(at, value % 2 ** 32, true);
    this.view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }

  private makeRoomFor(ranges: readonly Range[]): void {
    let length = 0;
    for (const range of ranges) length += range.length;
    if (length <= this.data.length) return;
    this.data = new Uint8Array(length);
    this.dataAddress = ptr(this.data);
  }
}
