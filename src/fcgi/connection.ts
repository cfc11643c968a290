// One client connection over Bun.connect, with what a protocol needs and Bun leaves to the caller:
// a send that waits while the socket is full, and errors told apart.

import type { Socket } from "bun";
import type { Address } from "../sys/socket/address.ts";
import { sleep } from "../sys/clock.ts";
import { isUnixListening } from "../sys/socket/unix-listening.ts";

export interface ConnectionEvents {
  readonly onData: (chunk: Uint8Array) => void;
  /** Called once, when the peer has closed or reset the connection, or `close` was called. */
  readonly onClose: (error: Error | undefined) => void;
  /** The queue of the Unix socket is full; connecting is tried again. */
  readonly onQueueFull: () => void;
}

const QUEUE_FULL_RETRY_MS = 10;

export class FcgiConnection {
  private readonly events: ConnectionEvents;
  private socket: Socket | null = null;
  private state: "connecting" | "open" | "closed" = "connecting";
  /** Lets a send that waits go on. */
  private wake: () => void = () => {};

  private constructor(events: ConnectionEvents) {
    this.events = events;
  }

  /**
   * Connects, waiting for room in the queue of a Unix socket as a blocking connect(2) would, until
   * `signal` aborts. Rejects with the error that Bun gives, its `code` being that of connect(2).
   */
  static async open(
    address: Address,
    events: ConnectionEvents,
    signal: AbortSignal,
  ): Promise<FcgiConnection> {
    for (;;) {
      try {
        return await FcgiConnection.attempt(address, events, signal);
      } catch (error) {
        const code = (error as { code?: string }).code;
        const full = code === "EAGAIN" || (code === "ECONNREFUSED" && isFull(address));
        if (!full || signal.aborted) throw error;
        events.onQueueFull();
        await sleep(QUEUE_FULL_RETRY_MS, signal);
      }
    }
  }

  private static async attempt(
    address: Address,
    events: ConnectionEvents,
    signal: AbortSignal,
  ): Promise<FcgiConnection> {
    const connection = new FcgiConnection(events);
    connection.socket = await connect(address, connection.handler());
    if (signal.aborted) connection.close();
    return connection;
  }

  /** Resolves when the kernel has taken all of it: true, or false when the connection is gone. */
  async send(bytes: Uint8Array): Promise<boolean> {
    let rest = bytes;
    while (!this.isClosed && rest.length > 0) {
      const taken = this.socket!.write(rest);
      if (taken < 0) return false;
      rest = rest.subarray(taken);
      if (rest.length > 0) await new Promise<void>((resolve) => (this.wake = resolve));
    }
    return !this.isClosed;
  }

  /** Closes it; what was not sent yet is dropped. */
  close(): void {
    this.gone();
    this.socket!.terminate();
  }

  private get isClosed(): boolean {
    return this.state === "closed";
  }

  private handler(): Bun.SocketHandler<undefined> {
    return {
      open: () => {
        this.state = "open";
      },
      data: (_, chunk) => this.events.onData(chunk),
      drain: () => this.wake(),
      end: () => this.gone(),
      close: (_, error) => this.gone(error),
      error: (_, error) => this.gone(error),
      connectError() {},
    };
  }

  private gone(error?: Error): void {
    const before = this.state;
    if (before === "closed") return;
    this.state = "closed";
    this.wake();
    if (before === "open") this.events.onClose(error);
  }
}

function isFull(address: Address): boolean {
  return address.kind === "unix" && isUnixListening(address.path);
}

function connect(address: Address, socket: Bun.SocketHandler<undefined>): Promise<Socket> {
  return address.kind === "unix"
    ? Bun.connect({ unix: address.path, socket })
    : Bun.connect({ hostname: address.host, port: address.port, socket });
}
