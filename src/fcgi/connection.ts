// One client connection over Bun.connect, with what a protocol needs and Bun leaves to the caller:
// a send that waits while the socket is full, and errors told apart.

import type { Socket } from "bun";
import type { Address } from "../sys/address.ts";
import { sleep } from "../sys/clock.ts";
import { isUnixListening } from "../sys/unix-listening.ts";

export interface FcgiConnection {
  /** Resolves when the kernel has taken all of it: true, or false when the connection is gone. */
  send(bytes: Uint8Array): Promise<boolean>;
  /** Closes it; what was not sent yet is dropped. */
  close(): void;
}

export interface ConnectionEvents {
  readonly onData: (chunk: Uint8Array) => void;
  /** Called once, when the peer has closed or reset the connection, or `close` was called. */
  readonly onClose: (error: Error | undefined) => void;
  /** The queue of the Unix socket is full; connecting is tried again. */
  readonly onQueueFull: () => void;
}

const QUEUE_FULL_RETRY_MS = 10;

/**
 * Connects, waiting for room in the queue of a Unix socket as a blocking connect(2) would, until
 * `signal` aborts. Rejects with the error that Bun gives, its `code` being that of connect(2).
 */
export async function openConnection(
  address: Address,
  events: ConnectionEvents,
  signal: AbortSignal,
): Promise<FcgiConnection> {
  for (;;) {
    try {
      return await attempt(address, events, signal);
    } catch (error) {
      const code = (error as { code?: string }).code;
      const full = code === "EAGAIN" || (code === "ECONNREFUSED" && isFull(address));
      if (!full || signal.aborted) throw error;
      events.onQueueFull();
      await sleep(QUEUE_FULL_RETRY_MS, signal);
    }
  }
}

function isFull(address: Address): boolean {
  return address.kind === "unix" && isUnixListening(address.path);
}

async function attempt(
  address: Address,
  events: ConnectionEvents,
  signal: AbortSignal,
): Promise<FcgiConnection> {
  let closed = false;
  let wake: () => void = () => {};
  let opened = false;
  const gone = (error?: Error) => {
    if (closed) return;
    closed = true;
    wake();
    if (opened) events.onClose(error);
  };
  const handler = {
    open() {
      opened = true;
    },
    data: (_: Socket, chunk: Uint8Array) => events.onData(chunk),
    drain: () => wake(),
    end: () => gone(),
    close: (_: Socket, error?: Error) => gone(error),
    error: (_: Socket, error: Error) => gone(error),
    connectError() {},
  };
  const socket = await connect(address, handler);
  const connection: FcgiConnection = {
    async send(bytes) {
      let rest = bytes;
      while (!closed && rest.length > 0) {
        const taken = socket.write(rest);
        if (taken < 0) return false;
        rest = rest.subarray(taken);
        if (rest.length > 0) await new Promise<void>((resolve) => (wake = resolve));
      }
      return !closed;
    },
    close() {
      gone();
      socket.terminate();
    },
  };
  if (signal.aborted) connection.close();
  return connection;
}

function connect(address: Address, socket: Bun.SocketHandler<undefined>): Promise<Socket> {
  return address.kind === "unix"
    ? Bun.connect({ unix: address.path, socket })
    : Bun.connect({ hostname: address.host, port: address.port, socket });
}
