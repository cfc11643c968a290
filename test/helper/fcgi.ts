// A FastCGI client of the tests' own, over node:net and independent of src/fcgi: what checks the
// program must not share its mistakes. One request a connection; it says how a lost one was lost.

import { connect } from "node:net";
import type { Where } from "./processes.ts";
import { LONGEST_MS } from "./wait.ts";

export interface FcgiRequest {
  /** Path of the script, sent as SCRIPT_FILENAME. */
  readonly script?: string;
  readonly query?: string;
  readonly method?: string;
  readonly body?: string;
  readonly params?: Readonly<Record<string, string>>;
  /** Milliseconds for the whole request. */
  readonly timeout?: number;
  /** Source address, such as "127.0.0.2". */
  readonly from?: string;
}

export interface FcgiResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly stderr: string;
  readonly appStatus: number;
}

/** How a request was lost. */
export type Loss = "refused" | "reset" | "cut" | "timeout" | "other";

export class Lost extends Error {
  readonly kind: Loss;
  constructor(kind: Loss, message: string) {
    super(message);
    this.kind = kind;
  }
}

const BEGIN = 1;
const END = 3;
const PARAMS = 4;
const STDIN = 5;
const STDOUT = 6;
const STDERR = 7;

/** Sends one request and resolves with the whole response; throws `Lost`. */
export function fcgi(where: Where, request: FcgiRequest = {}): Promise<FcgiResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<FcgiResponse>();
  const { timeout = LONGEST_MS } = request;
  const socket = connect({
    ...("path" in where ? { path: where.path } : { host: where.host, port: where.port }),
    ...(request.from === undefined ? {} : { localAddress: request.from }),
  });
  const timer = setTimeout(() => fail("timeout", `no answer within ${timeout} ms`), timeout);
  const answer: Answer = { rest: Buffer.alloc(0), out: [], err: [], appStatus: null };
  let sent = false;

  function fail(kind: Loss, message: string): void {
    clearTimeout(timer);
    socket.destroy();
    reject(new Lost(kind, message));
  }
  socket.on("connect", () => {
    sent = true;
    socket.write(encodeRequest(request));
  });
  socket.on("data", (chunk: Buffer) => {
    readRecords(answer, chunk);
    if (answer.appStatus === null) return;
    clearTimeout(timer);
    socket.end();
    resolve(responseOf(answer));
  });
  socket.on("error", (error: NodeJS.ErrnoException) =>
    fail(lossOf(error.code, sent), error.message),
  );
  socket.on("close", () => {
    if (answer.appStatus === null) fail("cut", "closed before the end of the response");
  });
  return promise;
}

function lossOf(code: string | undefined, sent: boolean): Loss {
  if (code === "ECONNREFUSED" || code === "ENOENT") return "refused";
  if (code === "ECONNRESET" || code === "EPIPE") return sent ? "reset" : "refused";
  return code === "ETIMEDOUT" ? "timeout" : "other";
}

interface Answer {
  rest: Buffer;
  out: Buffer[];
  err: Buffer[];
  appStatus: number | null;
}

function readRecords(answer: Answer, chunk: Buffer): void {
  let data = Buffer.concat([answer.rest, chunk]);
  while (data.length >= 8) {
    const length = data.readUInt16BE(4);
    const total = 8 + length + data[6]!;
    if (data.length < total) break;
    const content = data.subarray(8, 8 + length);
    if (data[1] === STDOUT) answer.out.push(content);
    if (data[1] === STDERR) answer.err.push(content);
    if (data[1] === END) answer.appStatus = content.readUInt32BE(0);
    data = data.subarray(total);
  }
  answer.rest = data;
}

function responseOf(answer: Answer): FcgiResponse {
  const text = Buffer.concat(answer.out).toString();
  const at = /\r?\n\r?\n/.exec(text);
  const head = at ? text.slice(0, at.index) : "";
  const headers = new Map(
    head.split(/\r?\n/).map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  return {
    status: Number.parseInt(headers.get("status") ?? "200", 10),
    headers,
    body: at ? text.slice(at.index + at[0].length) : text,
    stderr: Buffer.concat(answer.err).toString(),
    appStatus: answer.appStatus ?? -1,
  };
}

/** One request with all its records, on request id 1. */
export function encodeRequest(request: FcgiRequest): Buffer {
  const body = Buffer.from(request.body ?? "");
  const params = Buffer.concat(
    Object.entries({
      GATEWAY_INTERFACE: "CGI/1.1",
      SERVER_PROTOCOL: "HTTP/1.1",
      REQUEST_METHOD: request.method ?? (body.length > 0 ? "POST" : "GET"),
      REQUEST_URI: `/${request.script?.split("/").at(-1) ?? ""}`,
      SCRIPT_NAME: `/${request.script?.split("/").at(-1) ?? ""}`,
      SCRIPT_FILENAME: request.script ?? "/",
      QUERY_STRING: request.query ?? "",
      CONTENT_LENGTH: body.length > 0 ? String(body.length) : "",
      REMOTE_ADDR: "127.0.0.1",
      SERVER_NAME: "localhost",
      SERVER_PORT: "80",
      REDIRECT_STATUS: "200",
      ...request.params,
    }).map(([name, value]) => pair(name, value)),
  );
  return Buffer.concat([
    record(BEGIN, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])),
    record(PARAMS, params),
    record(PARAMS, Buffer.alloc(0)),
    ...(body.length > 0 ? [record(STDIN, body)] : []),
    record(STDIN, Buffer.alloc(0)),
  ]);
}

function pair(name: string, value: string): Buffer {
  const n = Buffer.from(name);
  const v = Buffer.from(value);
  return Buffer.concat([size(n.length), size(v.length), n, v]);
}

function size(length: number): Buffer {
  if (length < 128) return Buffer.from([length]);
  const four = Buffer.alloc(4);
  four.writeUInt32BE((length | 0x80000000) >>> 0);
  return four;
}

function record(type: number, content: Buffer): Buffer {
  const head = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 0xff, 0, 0]);
  return Buffer.concat([head, content]);
}
