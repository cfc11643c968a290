// Reading what may never answer. A page of another process can be one that a file system of its own
// user has to bring (FUSE), and whoever reads it waits in the kernel as long as that user likes. So the
// read is done by a thread of the C library (aio(7)), and is given up after a moment. Never throws.

import { dlopen, type FFIFunction, ptr } from "bun:ffi";
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
const LIO_READ = 0;
const LIO_NOWAIT = 1;
const SIGEV_NONE = 1;
const EINPROGRESS = 115;

/** Bytes of a file, or of a process's memory. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** What the kernel may still write to. */
interface Request {
  readonly control: Uint8Array;
  readonly buffer: Uint8Array;
}

/** A descriptor in use is not closed. */
interface Batch {
  readonly fd: number;
  readonly requests: readonly Request[];
}

const stuck = new Set<Batch>();

export type TimedRead =
  | { readonly got: "bytes"; readonly bytes: Uint8Array }
  /** There is nothing to read. */
  | { readonly got: "nothing" }
  /** Given up: the descriptor is kept, and must not be closed by who asked. */
  | { readonly got: "stuck" };

/** At most `length` bytes at this offset of a descriptor. */
export function timedRead(fd: number, offset: number, length: number): TimedRead {
  return timedReads(fd, [{ offset, length }])[0]!;
}

/**
 * The same for several ranges, begun at once and read one straight after the other: a third of the cost of
 * asking for each, and next to no time in between. All are stuck when one is.
 */
export function timedReads(fd: number, ranges: readonly Range[]): readonly TimedRead[] {
  library ??= open();
  if (library === null || !hasRoom()) return ranges.map(() => ({ got: "nothing" }));
  const batch = { fd, requests: ranges.map((range) => requestFor(fd, range)) };
  const list = addresses(batch.requests);
  // What cannot be begun has an error of its own (aio_error), which reads as nothing.
  library.lio_listio(LIO_NOWAIT, ptr(list), ranges.length, null);
  const until = now() + MOST_MS;
  if (!batch.requests.every((request) => waitFor(request, until))) {
    stuck.add(batch);
    return ranges.map(() => ({ got: "stuck" }));
  }
  return batch.requests.map(result);
}

function requestFor(fd: number, { offset, length }: Range): Request {
  const request = { control: new Uint8Array(AIOCB.bytes), buffer: new Uint8Array(length) };
  const view = new DataView(request.control.buffer);
  view.setInt32(AIOCB.fd, fd, true);
  view.setInt32(AIOCB.operation, LIO_READ, true);
  view.setBigUint64(AIOCB.buffer, BigInt(ptr(request.buffer)), true);
  view.setBigUint64(AIOCB.length, BigInt(length), true);
  view.setInt32(AIOCB.notify, SIGEV_NONE, true);
  view.setBigUint64(AIOCB.offset, BigInt(offset), true);
  return request;
}

function addresses(requests: readonly Request[]): BigUint64Array {
  return new BigUint64Array(requests.map(({ control }) => BigInt(ptr(control))));
}

function result({ control, buffer }: Request): TimedRead {
  const count = Number(library!.aio_return(ptr(control)));
  return count <= 0 ? { got: "nothing" } : { got: "bytes", bytes: buffer.subarray(0, count) };
}

/** Whether it has ended in time. */
function waitFor(request: Request, until: number): boolean {
  if (!isUnderWay(request)) return true;
  const list = addresses([request]);
  while (isUnderWay(request)) {
    const left = until - now();
    if (left <= 0) return false;
    // A signal ends the wait early.
    library!.aio_suspend(ptr(list), 1, ptr(new BigInt64Array([0n, BigInt(Math.ceil(left * 1e6))])));
  }
  return true;
}

function isUnderWay({ control }: Request): boolean {
  return library!.aio_error(ptr(control)) === EINPROGRESS;
}

/** Lets go of those that have ended meanwhile. */
function hasRoom(): boolean {
  for (const batch of stuck) {
    if (batch.requests.some(isUnderWay)) continue;
    for (const request of batch.requests) result(request);
    stuck.delete(batch);
    closeSync(batch.fd);
  }
  return stuck.size < STUCK_MOST;
}
