// The client against peers that behave badly on purpose, each of them a few lines of Bun.listen; and
// against the server's half of the protocol, with bodies that do not fit into a socket's buffer.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Socket } from "bun";
import { type FcgiRequest, fcgiRequest } from "../../src/fcgi/client.ts";
import { FcgiFault } from "../../src/fcgi/failure.ts";
import {
  encodeEndRequest,
  encodeRecord,
  joined,
  type ProtocolStatus,
  RECORD,
} from "../../src/fcgi/record.ts";
import { startProgress, timeoutFault } from "../../src/fcgi/progress.ts";
import { RequestReader, type ServerRequest } from "../../src/fcgi/request-reader.ts";
import type { Address } from "../../src/sys/socket/address.ts";
import { eventually, LONGEST_MS } from "../helper/wait.ts";

let dir: string;
let stops: (() => void)[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "fcgi-client-"));
  stops = [];
});
afterEach(() => {
  for (const stop of stops) stop();
  rmSync(dir, { recursive: true });
});

type OnData = (socket: Socket, chunk: Uint8Array) => void;

/** A peer on a Unix socket that does `onData` with whatever comes. */
function peer(onData: OnData, onOpen: (socket: Socket) => void = () => {}): Address {
  const path = join(dir, "peer.sock");
  const server = Bun.listen({ unix: path, socket: { open: onOpen, data: onData } });
  stops.push(() => server.stop(true));
  return { kind: "unix", path };
}

/** A peer that reads whole requests and answers them with these bytes. */
function program(answer: (request: ServerRequest) => Uint8Array): Address {
  const reader = new RequestReader();
  return peer((socket, chunk) => {
    for (const incoming of reader.feed(chunk)) {
      if (incoming.what === "request") writeAll(socket, answer(incoming.request));
    }
  });
}

function writeAll(socket: Socket, bytes: Uint8Array): void {
  const taken = socket.write(bytes);
  if (taken < bytes.length) throw new Error("the test's answer does not fit the socket's buffer");
}

const stdout = (text: string) => encodeRecord(RECORD.stdout, 1, Buffer.from(text));
const end = (appStatus = 0, protocolStatus: ProtocolStatus = "REQUEST_COMPLETE") =>
  encodeEndRequest(1, { appStatus, protocolStatus });

function ask(address: Address, more: Partial<FcgiRequest> = {}) {
  const params = new Map([["REQUEST_METHOD", "GET"]]);
  return fcgiRequest({ address, params, timeoutMs: LONGEST_MS, ...more });
}

const TIMEOUTS = ["timeout-connect", "timeout-first-byte", "timeout-body"];

/**
 * The kind of timeout that a request ends with when its time is enough to get as far as it can. How
 * much that is depends on the machine: when it ended in an earlier phase than is wanted, it gets more.
 */
async function timeoutOf(wanted: string, request: (timeoutMs: number) => Promise<unknown>) {
  for (let timeoutMs = 50; ; timeoutMs *= 2) {
    const kind = await kindOf(request(timeoutMs));
    const early = TIMEOUTS.indexOf(wanted) > TIMEOUTS.indexOf(kind) && TIMEOUTS.includes(kind);
    if (!early || timeoutMs > LONGEST_MS) return kind;
  }
}

/** Resolves when the number has become more than 0 and stays the same at look after look. */
async function atRest(number: () => number): Promise<void> {
  let [last, same] = [0, 0];
  await eventually(() => {
    same = number() === last ? same + 1 : 0;
    last = number();
    return last > 0 && same >= 20;
  });
}

async function kindOf(answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof FcgiFault ? error.kind : `not a fault: ${String(error)}`;
}

describe("an answer", () => {
  test("carries status, headers, body, stderr, exit code and times", async () => {
    const address = program((request) =>
      joined([
        encodeRecord(RECORD.stderr, 1, Buffer.from("oops\n")),
        encodeRecord(RECORD.stdout, 2, Buffer.from("of another request")),
        stdout("Status: 201 Created\r\nX-M: "),
        stdout(`${request.params.get("REQUEST_METHOD")}\r\n\r\nbo`),
        stdout("dy"),
        end(3),
      ]),
    );
    const { body, connectMs, firstByteMs, totalMs, ...rest } = await ask(address);
    expect(rest).toEqual({
      status: 201,
      headers: [["X-M", "GET"]],
      stderr: "oops\n",
      appStatus: 3,
      protocolStatus: "REQUEST_COMPLETE",
    });
    expect(Buffer.from(body).toString()).toBe("body");
    expect(connectMs).toBeLessThanOrEqual(firstByteMs);
    expect(firstByteMs).toBeLessThanOrEqual(totalMs);
  });

  test("may come byte by byte, and the connection stay open after it", async () => {
    const bytes = joined([stdout("A: b\n\nbody"), end()]);
    const address = peer((socket) => {
      for (let i = 0; i < bytes.length; i++) writeAll(socket, bytes.subarray(i, i + 1));
    });
    expect(Buffer.from((await ask(address)).body).toString()).toBe("body");
  });

  test("over TCP", async () => {
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => writeAll(socket, joined([stdout("A: b\n\n"), end()])) },
    });
    stops.push(() => server.stop(true));
    const address: Address = { kind: "inet", host: "127.0.0.1", port: server.port };
    expect((await ask(address)).status).toBe(200);
  });
});

/** A body of so many bytes that counts how much of it was asked for. */
function bodyOf(bytes: number) {
  const seen = { pulled: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (seen.pulled >= bytes) return controller.close();
        const size = Math.min(100_000, bytes - seen.pulled);
        seen.pulled += size;
        controller.enqueue(new Uint8Array(size).fill(seen.pulled & 0xff));
      },
      cancel: () => void (seen.cancelled = true),
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

describe("a large body", () => {
  test("arrives whole, from a stream and from memory", async () => {
    const answer = (request: ServerRequest) =>
      joined([stdout(`A: b\n\n${Bun.hash(request.body)} ${request.body.length}`), end()]);
    const address = program(answer);
    const whole = await new Response(bodyOf(10_000_000).stream).bytes();
    const wanted = `${Bun.hash(whole)} 10000000`;
    const fromMemory = await ask(address, { stdin: whole });
    expect(Buffer.from(fromMemory.body).toString()).toBe(wanted);
    const fromStream = await ask(address, { stdin: bodyOf(10_000_000).stream });
    expect(Buffer.from(fromStream.body).toString()).toBe(wanted);
  });

  test("is asked for no faster than the peer reads, and cancelled when the request ends", async () => {
    let stalled: Socket | undefined;
    const address = peer((socket) => {
      stalled = socket;
      socket.pause();
    });
    const { stream, seen } = bodyOf(1_000_000_000);
    const kind = kindOf(ask(address, { stdin: stream }));
    await atRest(() => seen.pulled);
    stalled!.terminate();
    expect(await kind).toBe("closed-before");
    expect(seen.pulled).toBeLessThan(20_000_000);
    expect(seen.cancelled).toBe(true);
  });

  test("need not be read at all: an early answer ends the request", async () => {
    const address = peer((socket) => {
      socket.pause();
      writeAll(socket, joined([stdout("A: b\n\nearly"), end()]));
    });
    const response = await ask(address, { stdin: bodyOf(1_000_000_000).stream });
    expect(Buffer.from(response.body).toString()).toBe("early");
  });

  test("that cannot be read is told as such", async () => {
    const stream = new ReadableStream<Uint8Array>({
      pull: () => Promise.reject(new Error("disk on fire")),
    });
    const address = peer(() => {});
    expect(await kindOf(ask(address, { stdin: stream }))).toBe("bad-input");
  });
});

describe("failures are told apart", () => {
  test("connecting", async () => {
    const path = join(dir, "file");
    expect(await kindOf(ask({ kind: "unix", path }))).toBe("no-socket");
    writeFileSync(path, "");
    expect(await kindOf(ask({ kind: "unix", path }))).toBe("no-socket");
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const address: Address = { kind: "inet", host: "127.0.0.1", port: server.port };
    server.stop(true);
    expect(await kindOf(ask(address))).toBe("refused");
  });

  test("timeouts: before the first byte and in the answer", async () => {
    const silent = peer(() => {});
    const first = await timeoutOf("timeout-first-byte", (timeoutMs) => ask(silent, { timeoutMs }));
    expect(first).toBe("timeout-first-byte");
    stops.pop()!();
    // Who had too little time may be gone already.
    const slow = peer((socket) => void socket.write(stdout("A: b\n\nbo")));
    const later = await timeoutOf("timeout-body", (timeoutMs) => ask(slow, { timeoutMs }));
    expect(later).toBe("timeout-body");
  });

  test("closing early: before the first byte and in the answer", async () => {
    const rude = peer((socket) => void socket.end());
    expect(await kindOf(ask(rude))).toBe("closed-before");
    stops.pop()!();
    const dying = peer((socket) => {
      writeAll(socket, stdout("A: b\n\nbo"));
      socket.end();
    });
    await expect(ask(dying)).rejects.toThrow("after 8 bytes");
  });

  test("the protocol's own refusals", async () => {
    const kinds: [ProtocolStatus, string][] = [
      ["OVERLOADED", "overloaded"],
      ["CANT_MPX_CONN", "cannot-multiplex"],
      ["UNKNOWN_ROLE", "unknown-role"],
    ];
    for (const [status, kind] of kinds) {
      const address = peer((socket) => writeAll(socket, end(0, status)));
      expect(await kindOf(ask(address))).toBe(kind);
      stops.pop()!();
    }
  });

  test("not FastCGI, no headers, too much, cancelled", async () => {
    const http = peer((socket) => writeAll(socket, Buffer.from("HTTP/1.1 400 Bad\r\n\r\n")));
    expect(await kindOf(ask(http))).toBe("not-fastcgi");
    stops.pop()!();
    const bare = program(() => joined([stdout("hello"), end()]));
    expect(await kindOf(ask(bare))).toBe("bad-headers");
    expect(await kindOf(ask(bare, { maxBytes: 4 }))).toBe("too-large");
    stops.pop()!();
    const silent = peer(() => {});
    expect(await kindOf(ask(silent, { signal: AbortSignal.abort() }))).toBe("aborted");
  });
});

test("a limit is told in whole milliseconds", () => {
  const { message } = timeoutFault(startProgress(), 9987.619933, "127.0.0.1:9000");
  expect(message).toBe("no connection within 9988 ms");
});
