// Where workers' stdout and stderr go: one Unix stream socket pair a group. With SO_PASSCRED the
// kernel says of every chunk which process wrote it and never glues the writes of two processes
// together (unix(7)), so lines of workers that share a descriptor can be told apart; a pipe cannot
// do that. Readability is told by SIGIO (O_ASYNC), because Bun has no way to watch a descriptor
// without reading it. The one price: a socket cannot be opened again through /dev/stderr.

import { after, now } from "./clock.ts";
import { checked, libc, ptr } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_PASSCRED = 16;
const F_SETFL = 4;
const F_SETOWN = 8;
const O_NONBLOCK = 0o4000;
const O_ASYNC = 0o20000;
const MSG_DONTWAIT = 0x40;

/** Bytes read at once, and at most in one turn from one channel, so that a flood starves nobody. */
const CHUNK = 65536;
const TURN = 4 * CHUNK;

export interface OutputChannel {
  /** The workers' end, to be put on their descriptors 1 and 2; then close it here. */
  readonly workerEnd: number;
  closeWorkerEnd(): void;
  /** Reads what is there now, for a worker's last words. */
  drain(): void;
  close(): void;
}

interface Reader {
  readonly fd: number;
  readonly onChunk: (pid: number, chunk: Uint8Array) => void;
  readonly onEnd: () => void;
}

const readers = new Set<Reader>();
let listening = false;

/** Opens a channel; `onChunk` gets each write with the writer's pid, `onEnd` comes when all writers are gone. */
export function openOutputChannel(
  onChunk: (pid: number, chunk: Uint8Array) => void,
  onEnd: () => void,
): OutputChannel {
  if (!listening) {
    // Before the first O_ASYNC: the default action of SIGIO is to end the process.
    process.on("SIGIO", readAll);
    listening = true;
  }
  const pair = new Int32Array(2);
  checked("socketpair", libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ptr(pair)));
  const [fd, workerEnd] = [pair[0]!, pair[1]!];
  const on = new Int32Array([1]);
  checked("setsockopt", libc.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, ptr(on), 4));
  checked("fcntl", libc.fcntl(fd, F_SETOWN, process.pid));
  checked("fcntl", libc.fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
  const reader: Reader = { fd, onChunk, onEnd };
  readers.add(reader);
  let workerEndOpen = true;
  return {
    workerEnd,
    closeWorkerEnd() {
      if (workerEndOpen) libc.close(workerEnd);
      workerEndOpen = false;
    },
    drain: () => readTurn(reader),
    close() {
      if (readers.delete(reader)) libc.close(fd);
      this.closeWorkerEnd();
    },
  };
}

let resting = false;

/**
 * Reads every channel for a turn. After a turn that left something unread, the supervisor has as long
 * for its other work as the turn took: a flood is slowed down (its writer waits), never the control.
 */
function readAll(): void {
  if (resting) return;
  const since = now();
  const unfinished = [...readers].filter((reader) => !readTurn(reader));
  if (unfinished.length === 0) return;
  resting = true;
  after(Math.max(1, now() - since), () => {
    resting = false;
    readAll();
  });
}

const buffer = new Uint8Array(CHUNK);
const control = new DataView(new ArrayBuffer(64));
const iovec = new BigUint64Array([BigInt(ptr(buffer)), BigInt(CHUNK)]);
const message = new BigUint64Array(7);

/** Reads one channel until it is empty (true) or has had its turn (false). */
function readTurn(reader: Reader): boolean {
  for (let taken = 0; taken < TURN;) {
    if (!readers.has(reader)) return true;
    const { length, pid } = receive(reader.fd);
    if (length < 0) return true;
    if (length === 0) {
      readers.delete(reader);
      libc.close(reader.fd);
      reader.onEnd();
      return true;
    }
    taken += length;
    reader.onChunk(pid, buffer.subarray(0, length));
  }
  return false;
}

/** recvmsg(2) with room for one SCM_CREDENTIALS: cmsghdr of 16 bytes, then pid, uid, gid. */
function receive(fd: number): { length: number; pid: number } {
  message[2] = BigInt(ptr(iovec));
  message[3] = 1n;
  message[4] = BigInt(ptr(control));
  message[5] = BigInt(control.byteLength);
  const length = Number(libc.recvmsg(fd, ptr(message), MSG_DONTWAIT));
  return { length, pid: length > 0 ? control.getInt32(16, true) : 0 };
}
