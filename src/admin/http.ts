// HTTP/1.1 on connections that somebody else accepts: only he can ask the kernel who is at the other end, which
// Bun.serve does not tell. Reads a request whole, has it answered, and writes the answer, streamed ones as they come.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { asFault, Fault } from "../fault.ts";
import { after } from "../sys/clock.ts";
import type { Peer } from "../sys/socket/peer.ts";
import { faultAnswer } from "./answer.ts";
import { STREAM_TYPE } from "./contract.ts";

/** A request, as far as anybody here asks. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  /** The header Accept; "" without one. */
  readonly accept: string;
  readonly body: string;
  /** The headers Host and Authorization; "" without them. */
  readonly host: string;
  readonly authorization: string;
  /** null: the kernel does not say. */
  readonly peer: Peer | null;
}

export type Handle = (asked: Asked) => Promise<Response>;

/** Bytes; the longest that is asked for is a list of pools. */
const LONGEST_BODY = 1024 * 1024;
/** Operations take as long as they take, and connections are kept for the next request; a header is not waited for. */
const PATIENCE = { requestTimeout: 0, keepAliveTimeout: 0, headersTimeout: 60_000 } as const;
const UNREADABLE = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

export class HttpService {
  private readonly handle: Handle;
  private readonly server = createServer(PATIENCE);
  private readonly peers = new Map<Socket, Peer | null>();
  private readonly answers = new Set<Promise<void>>();

  constructor(handle: Handle) {
    this.handle = handle;
    this.server.on("request", (request, response) => this.take(request, response));
    this.server.on("clientError", (_, socket) => socket.end(UNREADABLE));
  }

  /** Serves a connection until its end. */
  serve(connection: Socket, peer: Peer | null): void {
    this.peers.set(connection, peer);
    connection.once("close", () => this.peers.delete(connection));
    // Whoever asked has gone; what was asked for goes on.
    connection.on("error", () => {});
    this.server.emit("connection", connection);
  }

  /** Waits, for at most `patienceMs` milliseconds, for answers under way; then ends every connection. */
  async end(patienceMs: number): Promise<void> {
    const waited = Promise.withResolvers<void>();
    const cancel = after(patienceMs, waited.resolve);
    await Promise.race([Promise.all(this.answers), waited.promise]);
    cancel();
    for (const connection of this.peers.keys()) connection.destroySoon();
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    const answer = this.answer(request, response).catch(() => void response.destroy());
    this.answers.add(answer);
    void answer.then(() => this.answers.delete(answer));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await wholeBody(request);
    const url = URL.parse(request.url ?? "", `http://${request.headers.host ?? "localhost"}`);
    if (body === null) return write(faultAnswer(tooLong(), 413), response);
    if (url === null) return write(faultAnswer(unreadable(), 400), response);
    const { method = "", headers, socket } = request;
    const { accept = "", host = "", authorization = "" } = headers;
    const asked = { method, url, accept, body, host, authorization };
    const peer = this.peers.get(socket) ?? null;
    const answer = await this.handle({ ...asked, peer }).catch((error: unknown) =>
      faultAnswer(asFault(error), 500),
    );
    await write(answer, response);
  }
}

/** null when it is too long: the rest of it is read all the same, and not kept. */
async function wholeBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length <= LONGEST_BODY) chunks.push(chunk);
    else chunks.length = 0;
  }
  return length > LONGEST_BODY ? null : Buffer.concat(chunks).toString();
}

async function write(answer: Response, response: ServerResponse): Promise<void> {
  const headers = Object.fromEntries(answer.headers);
  if (answer.body === null || headers["content-type"] !== STREAM_TYPE) {
    const bytes = await answer.bytes();
    response.writeHead(answer.status, { ...headers, "content-length": bytes.length });
    return written(response, bytes);
  }
  response.writeHead(answer.status, headers);
  response.flushHeaders();
  const reader = answer.body.getReader();
  response.once("close", () => void reader.cancel().catch(() => {}));
  for (let next = await reader.read(); !next.done; next = await reader.read())
    if (!response.write(next.value)) await drained(response);
  // Nobody is left to take its end.
  if (!response.destroyed) return written(response);
}

/** Resolves when the reader has taken what was written, or has gone. */
function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => {
    response.off("drain", done);
    response.off("close", done);
    resolve();
  };
  response.on("drain", done);
  response.on("close", done);
  if (response.destroyed) done();
  return promise;
}

/** Resolves when it has gone out, or there is nobody left to take it. */
function written(response: ServerResponse, last?: Uint8Array): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once("close", resolve);
  response.once("finish", resolve);
  response.end(last);
  return promise;
}

function tooLong(): Fault {
  return new Fault("the body is too long", { hint: `at most ${LONGEST_BODY} bytes are read` });
}

function unreadable(): Fault {
  return new Fault("the URL cannot be read", {
    hint: "is the Host header a name? With curl: http://localhost/v1/status",
  });
}
