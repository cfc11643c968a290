// A FastCGI connection that is kept for request after request, as nginx keeps one with `fastcgi_keep_conn`.

import { connect, type Socket } from "node:net";
import { encodeRequest, type FcgiRequest } from "./fcgi.ts";
import type { Where } from "./processes.ts";

const END = 3;
const KEEP_CONN = 1;
/** Of BEGIN_REQUEST's body, behind the record's header of 8 bytes and the role. */
const FLAGS_AT = 10;

export class KeptConnection {
  private readonly socket: Socket;
  private rest = Buffer.alloc(0);
  private waiting: PromiseWithResolvers<void> | null = null;
  private failure: Error | null = null;

  constructor(where: Where) {
    this.socket = connect("path" in where ? { path: where.path } : where);
    this.socket.on("data", (chunk: Buffer) => this.take(chunk));
    this.socket.on("error", (error) => this.fail(error));
    this.socket.on("close", () => this.fail(new Error("the connection was closed")));
  }

  /** Resolves when the answer is there; rejects when the connection ends before. */
  request(request: FcgiRequest): Promise<void> {
    const bytes = encodeRequest(request);
    bytes[FLAGS_AT] = KEEP_CONN;
    this.waiting = Promise.withResolvers();
    if (this.failure !== null) this.waiting.reject(this.failure);
    this.socket.write(bytes);
    return this.waiting.promise;
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    let data = Buffer.concat([this.rest, chunk]);
    while (data.length >= 8) {
      const total = 8 + data.readUInt16BE(4) + data[6]!;
      if (data.length < total) break;
      if (data[1] === END) this.waiting?.resolve();
      data = data.subarray(total);
    }
    this.rest = data;
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.waiting?.reject(this.failure);
  }
}
