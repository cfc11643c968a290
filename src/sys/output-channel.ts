// Where workers' stdout and stderr go: one Unix stream socket pair a group. With SO_PASSCRED the
// kernel says of every chunk which process wrote it and never glues the writes of two processes
// together (unix(7)), so lines of workers that share a descriptor can be told apart; a pipe cannot
// do that. Readability is told by SIGIO (O_ASYNC), because Bun has no way to watch a descriptor
// without reading it. The one price: a socket cannot be opened again through /dev/stderr.

import { fstatSync } from "node:fs";
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

/** Gets each write with its writer's pid. The chunk is not kept. */
type OnChunk = (pid: number, chunk: Uint8Array) => void;

export class OutputChannel {
  private readonly fd: number;
  /** The workers' end, to be put on their descriptors 1 and 2; then close it here. */
  readonly workerEnd: number;
  /** Inode of that socket: some programs keep a copy of it on another descriptor. */
  readonly inode: string;
  private workerEndIsOpen = true;
  private readonly onChunk: OnChunk;
  private readonly onEnd: () => void;

  private constructor(pair: Int32Array, onChunk: OnChunk, onEnd: () => void) {
    this.fd = pair[0]!;
    this.workerEnd = pair[1]!;
    this.inode = String(fstatSync(this.workerEnd).ino);
    this.onChunk = onChunk;
    this.onEnd = onEnd;
  }

  /** Opens a channel; `onEnd` comes when all writers are gone. */
  static open(onChunk: OnChunk, onEnd: () => void): OutputChannel {
    const pair = new Int32Array(2);
    checked("socketpair", libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ptr(pair)));
    const channel = new OutputChannel(pair, onChunk, onEnd);
    // Before O_ASYNC: the default action of SIGIO is to end the process.
    turns.begin();
    const on = new Int32Array([1]);
    const { fd } = channel;
    checked("setsockopt", libc.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, ptr(on), 4));
    checked("fcntl", libc.fcntl(fd, F_SETOWN, process.pid));
    checked("fcntl", libc.fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
    turns.add(channel);
    return channel;
  }

  closeWorkerEnd(): void {
    if (this.workerEndIsOpen) libc.close(this.workerEnd);
    this.workerEndIsOpen = false;
  }

  /** Reads until it is empty (true) or has had its turn (false): for the last lines of a worker, too. */
  drain(): boolean {
    for (let taken = 0; taken < TURN;) {
      if (!turns.has(this)) return true;
      const { length, pid } = receive(this.fd);
      if (length < 0) return true;
      if (length === 0) {
        this.closeOwnEnd();
        this.onEnd();
        return true;
      }
      taken += length;
      this.onChunk(pid, buffer.subarray(0, length));
    }
    return false;
  }

  close(): void {
    this.closeOwnEnd();
    this.closeWorkerEnd();
  }

  private closeOwnEnd(): void {
    if (turns.remove(this)) libc.close(this.fd);
  }
}

/**
 * Reads every open channel by turns. After a round that left something unread, the supervisor has as
 * long for its other work as the round took: a flood is slowed down (its writer waits), never the control.
 */
class Turns {
  private readonly channels = new Set<OutputChannel>();
  private isListening = false;
  private isResting = false;

  /** Has SIGIO tell that there is something to read. */
  begin(): void {
    if (!this.isListening) process.on("SIGIO", () => this.readAll());
    this.isListening = true;
  }

  add(channel: OutputChannel): void {
    this.channels.add(channel);
  }

  has(channel: OutputChannel): boolean {
    return this.channels.has(channel);
  }

  /** Whether it was there. */
  remove(channel: OutputChannel): boolean {
    return this.channels.delete(channel);
  }

  private readAll(): void {
    if (this.isResting) return;
    const since = now();
    const unfinished = [...this.channels].filter((channel) => !channel.drain());
    if (unfinished.length === 0) return;
    this.isResting = true;
    after(Math.max(1, now() - since), () => {
      this.isResting = false;
      this.readAll();
    });
  }
}

const turns = new Turns();
const buffer = new Uint8Array(CHUNK);
const control = new DataView(new ArrayBuffer(64));
const iovec = new BigUint64Array([BigInt(ptr(buffer)), BigInt(CHUNK)]);
const message = new BigUint64Array(7);

/** recvmsg(2) with room for one SCM_CREDENTIALS: cmsghdr of 16 bytes, then pid, uid, gid. */
function receive(fd: number): { length: number; pid: number } {
  message[2] = BigInt(ptr(iovec));
  message[3] = 1n;
  message[4] = BigInt(ptr(control));
  message[5] = BigInt(control.byteLength);
  const length = Number(libc.recvmsg(fd, ptr(message), MSG_DONTWAIT));
  return { length, pid: length > 0 ? control.getInt32(16, true) : 0 };
}
