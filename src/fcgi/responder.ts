// The embedded responder: a prefork FastCGI worker like php-cgi, so that everything can be shown and
// tested where no PHP is. It waits in a blocking accept(), as supervisors expect of a worker, serves
// one request at a time, and on TERM or USR1 finishes the one in flight and leaves.

import { Fault } from "../fault.ts";
import {
  acceptConnection,
  closeConnection,
  interruptEvery,
  interruptOn,
  receive,
  sendAll,
} from "../sys/socket/accept.ts";
import { yieldToEvents } from "../sys/clock.ts";
import { encodeEndRequest, encodeRecord, encodeStream, joined, RECORD } from "./record.ts";
import { RequestReader, type Incoming, type ServerRequest } from "./request-reader.ts";
import { type Page, pageFor } from "./responder-pages.ts";

const RECEIVE_BYTES = 65536;
/** A stop signal in the moment before accept() is noticed at the latest so much later. */
const NOTICE_MS = 250;

interface Worker {
  readonly generation: string | null;
  readonly buffer: Uint8Array;
  count: number;
  /** Set by a stop signal or by /exit: the code to end with. */
  leaving: number | null;
}

/** Serves on the listening descriptor until told to leave; returns the exit code. */
export async function serveRequests(listener: number, generation: string | null): Promise<number> {
  const worker: Worker = {
    generation,
    buffer: new Uint8Array(RECEIVE_BYTES),
    count: 0,
    leaving: null,
  };
  const leave = () => (worker.leaving ??= 0);
  interruptOn("SIGTERM", leave);
  interruptOn("SIGUSR1", leave);
  interruptEvery(NOTICE_MS);
  while (worker.leaving === null) {
    const fd = acceptOn(listener);
    if (fd !== "interrupted") await serveConnection(fd, worker);
    await yieldToEvents();
  }
  return worker.leaving;
}

function acceptOn(listener: number): number | "interrupted" {
  try {
    return acceptConnection(listener);
  } catch (cause) {
    throw new Fault(`no connection can be accepted on descriptor ${listener}`, {
      hint: "a worker needs a listening, blocking socket there: let a supervisor start it",
      cause,
    });
  }
}

async function serveConnection(fd: number, worker: Worker): Promise<void> {
  const reader = new RequestReader();
  // Who has just been accepted is owed an answer, even if the first byte is still on its way.
  let owed = true;
  try {
    for (;;) {
      const chunk = await nextChunk(fd, worker, owed || reader.isInRequest);
      if (chunk === null) return;
      owed = false;
      for (const incoming of reader.feed(chunk)) {
        if (!(await answer(fd, incoming, worker))) return;
      }
    }
  } catch (error) {
    // A client that speaks something else loses its connection; the worker stays.
    if (!(error instanceof Fault)) throw error;
  } finally {
    closeConnection(fd);
  }
}

/** Null when the connection is to end: by the peer, or because we leave and owe no answer. */
async function nextChunk(fd: number, worker: Worker, owed: boolean): Promise<Uint8Array | null> {
  for (;;) {
    const count = receive(fd, worker.buffer, owed || worker.leaving === null);
    if (count === 0 || count === "nothing-yet") return null;
    if (count !== "interrupted") return worker.buffer.subarray(0, count);
    await yieldToEvents();
  }
}

/** Sends what a record asked for; false when the connection is to end. */
async function answer(fd: number, incoming: Incoming, worker: Worker): Promise<boolean> {
  if (incoming.what === "reply") return sendAll(fd, incoming.bytes) && !incoming.close;
  const { request } = incoming;
  worker.count++;
  const facts = { pid: process.pid, generation: worker.generation, count: worker.count };
  const page = await pageFor(request, facts);
  const sent = sendAll(fd, encodePage(request, page));
  if (page.exitCode !== undefined) worker.leaving = page.exitCode;
  else await yieldToEvents();
  return sent && request.keepConnection && worker.leaving === null;
}

function encodePage(request: ServerRequest, page: Page): Uint8Array {
  const body = Buffer.from(page.body);
  const head = `Status: ${page.status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n`;
  const out = request.params.get("REQUEST_METHOD") === "HEAD" ? [] : [body];
  const stdout = joined([Buffer.from(head), ...out]);
  const stderr = Buffer.from(page.stderr ?? "");
  return joined([
    ...encodeStream(RECORD.stderr, request.id, stderr),
    ...encodeStream(RECORD.stdout, request.id, stdout),
    encodeRecord(RECORD.stdout, request.id),
    encodeEndRequest(request.id, {
      appStatus: page.exitCode ?? 0,
      protocolStatus: "REQUEST_COMPLETE",
    }),
  ]);
}
