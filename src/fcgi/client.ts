// One request to a FastCGI program, as a web server would make it: a connection of its own, no
// multiplexing. Sending and receiving run side by side, because a program may answer before it has
// read its input, and either side waiting for the other would be a deadlock.

import { type Address, addressText } from "../sys/socket/address.ts";
import { after, now } from "../sys/clock.ts";
import { asFault, Fault } from "../fault.ts";
import { type Answer, createAnswerReader } from "./answer.ts";
import { parseCgiResponse } from "./cgi-response.ts";
import { type ConnectionEvents, FcgiConnection } from "./connection.ts";
import { connectFailure, FcgiFault, type FailureKind, protocolFailure } from "./failure.ts";
import {
  closedFault,
  noteConnected,
  noteFirstByte,
  type Progress,
  startProgress,
  timeoutFault,
} from "./progress.ts";
import { encodeBeginRequest, encodePairs, encodeRecord, encodeStream, RECORD } from "./record.ts";

export { paramsFor } from "./params.ts";

export interface FcgiRequest {
  readonly address: Address;
  readonly params: ReadonlyMap<string, string>;
  readonly stdin?: Uint8Array | ReadableStream<Uint8Array>;
  /** For the whole request, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** The most bytes of answer to take into memory; 256 MiB when not given. */
  readonly maxBytes?: number;
}

export interface FcgiResponse {
  readonly status: number;
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly body: Uint8Array;
  /** What the program wrote to FCGI_STDERR. */
  readonly stderr: string;
  readonly appStatus: number;
  readonly protocolStatus: string;
  readonly connectMs: number;
  /** From the start to the first byte of the answer. */
  readonly firstByteMs: number;
  readonly totalMs: number;
}

const REQUEST_ID = 1;
const MAX_BYTES = 256 * 1024 * 1024;

/** Throws an FcgiFault, whose `kind` tells what went wrong; an answer of status 500 is an answer. */
export async function fcgiRequest(request: FcgiRequest): Promise<FcgiResponse> {
  const where = addressText(request.address);
  const progress = startProgress();
  const answer = await exchange(request, progress, where);
  const failure = protocolFailure(answer.end.protocolStatus, where);
  if (failure) throw failure;
  return {
    ...named("bad-headers", where, () => parseCgiResponse(answer.stdout)),
    stderr: answer.stderr,
    appStatus: answer.end.appStatus,
    protocolStatus: answer.end.protocolStatus,
    connectMs: progress.connectedAt - progress.startedAt,
    firstByteMs: progress.firstByteAt - progress.startedAt,
    totalMs: now() - progress.startedAt,
  };
}

/** Sends the request and gathers the answer; whichever comes first ends it: answer, close, deadline. */
async function exchange(request: FcgiRequest, progress: Progress, where: string): Promise<Answer> {
  const over = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const reader = createAnswerReader(REQUEST_ID, request.maxBytes ?? MAX_BYTES);
  const stopTimer = after(request.timeoutMs, () =>
    reject(timeoutFault(progress, request.timeoutMs, where)),
  );
  const onAbort = () => reject(new FcgiFault("aborted", "the request was cancelled", where));
  request.signal?.addEventListener("abort", onAbort, { once: true });
  if (request.signal?.aborted) onAbort();
  const events = {
    onData(chunk: Uint8Array) {
      noteFirstByte(progress);
      try {
        const answer = reader.feed(chunk);
        if (answer) resolve(answer);
      } catch (error) {
        reject(readFault(error, where));
      }
    },
    onClose: (error?: Error) => reject(closedFault(progress, reader.received(), where, error)),
    onQueueFull: () => void (progress.queueFull = true),
  };
  talk(request, events, progress, over.signal).catch((error) => reject(asFault(error)));
  try {
    return await promise;
  } finally {
    stopTimer();
    request.signal?.removeEventListener("abort", onAbort);
    over.abort();
  }
}

async function talk(
  request: FcgiRequest,
  events: ConnectionEvents,
  progress: Progress,
  over: AbortSignal,
): Promise<void> {
  let connection: FcgiConnection;
  try {
    connection = await FcgiConnection.open(request.address, events, over);
  } catch (error) {
    throw connectFailure(request.address, error);
  }
  over.addEventListener("abort", () => connection.close(), { once: true });
  if (over.aborted) return connection.close();
  noteConnected(progress);
  if (!(await sendHead(connection, request.params))) return;
  await sendBody(connection, request.stdin, over, addressText(request.address));
}

async function sendHead(connection: FcgiConnection, params: ReadonlyMap<string, string>) {
  await connection.send(encodeBeginRequest(REQUEST_ID, false));
  for (const record of encodeStream(RECORD.params, REQUEST_ID, encodePairs(params))) {
    await connection.send(record);
  }
  return connection.send(encodeRecord(RECORD.params, REQUEST_ID));
}

async function sendBody(
  connection: FcgiConnection,
  body: FcgiRequest["stdin"],
  over: AbortSignal,
  where: string,
): Promise<void> {
  for await (const chunk of chunksOf(body, over, where)) {
    for (const record of encodeStream(RECORD.stdin, REQUEST_ID, chunk)) {
      if (!(await connection.send(record))) return;
    }
  }
  await connection.send(encodeRecord(RECORD.stdin, REQUEST_ID));
}

/** The body piece by piece, the next only when the one before is sent; cancelled when all is over. */
async function* chunksOf(
  body: FcgiRequest["stdin"],
  over: AbortSignal,
  where: string,
): AsyncGenerator<Uint8Array> {
  if (body === undefined) return;
  if (body instanceof Uint8Array) return yield body;
  const reader = body.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  over.addEventListener("abort", cancel, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw new FcgiFault("bad-input", "cannot read the request's body", where, undefined, error);
  } finally {
    over.removeEventListener("abort", cancel);
    cancel();
  }
}

function readFault(error: unknown, where: string): FcgiFault {
  const fault = asFault(error);
  const kind = fault.message.startsWith("the answer is longer") ? "too-large" : "not-fastcgi";
  return new FcgiFault(kind, fault.message, where, fault.hint);
}

function named<T>(kind: FailureKind, where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new FcgiFault(kind, error.message, where, error.hint);
  }
}
