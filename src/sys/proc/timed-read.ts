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
  aio_read: { args: ["ptr"], returns: "i32" },
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
const AIOCB = { bytes: 168, fd: 0, buffer: 16, length: 24, notify: 44, offset: 128 } as const;
const SIGEV_NONE = 1;
const EINPROGRESS = 115;

/** What the kernel may still write to; a descriptor in use is not closed. */
interface Request {
  readonly fd: number;
  readonly control: Uint8Array;
  readonly buffer: Uint8Array;
}

const stuck = new Set<Request>();

export type TimedRead =
  | { readonly got: "bytes"; readonly bytes: Uint8Array }
  /** There is nothing to read. */
  | { readonly got: "nothing" }
  /** Given up: the descriptor is kept, and must not be closed by who asked. */
  | { readonly got: "stuck" };

/** At most `length` bytes at this offset of a descriptor. */
export function timedRead(fd: number, offset: number, length: number): TimedRead {
  library ??= open();
  if (library === null || !hasRoom()) return { got: "nothing" };
  const request = { fd, control: new Uint8Array(AIOCB.bytes), buffer: new Uint8Array(length) };
  const view = new DataView(request.control.buffer);
  view.setInt32(AIOCB.fd, fd, true);
  view.setBigUint64(AIOCB.buffer, BigInt(ptr(request.buffer)), true);
  view.setBigUint64(AIOCB.length, BigInt(length), true);
  view.setInt32(AIOCB.notify, SIGEV_NONE, true);
  view.setBigUint64(AIOCB.offset, BigInt(offset), true);
  if (library.aio_read(ptr(request.control)) !== 0) return { got: "nothing" };
  if (!waitFor(request)) {
    stuck.add(request);
    return { got: "stuck" };
  }
  const count = Number(library.aio_return(ptr(request.control)));
  if (count <= 0) return { got: "nothing" };
  return { got: "bytes", bytes: request.buffer.subarray(0, count) };
}

/** Whether it has ended in time. */
function waitFor(request: Request): boolean {
  const list = new BigUint64Array([BigInt(ptr(request.control))]);
  const until = now() + MOST_MS;
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
  for (const request of stuck) {
    if (isUnderWay(request)) continue;
    library!.aio_return(ptr(request.control));
    stuck.delete(request);
    closeSync(request.fd);
  }
  return stuck.size < STUCK_MOST;
}
