// The FastCGI 1.0 records as bytes and back (fastcgi-archives.github.io, sections 3 to 5). Pure: it
// opens nothing and waits for nothing, so the client and the embedded responder share it whatever
// they read from.

import { Fault } from "../fault.ts";

/** Record types, section 8. */
export const RECORD = {
  beginRequest: 1,
  abortRequest: 2,
  endRequest: 3,
  params: 4,
  stdin: 5,
  stdout: 6,
  stderr: 7,
  data: 8,
  getValues: 9,
  getValuesResult: 10,
  unknownType: 11,
} as const;

export const HEADER_BYTES = 8;
/** The most content one record can carry: its length has 16 bits. */
export const CONTENT_MAX = 65535;

const VERSION = 1;
const ROLE_RESPONDER = 1;
const KEEP_CONN = 1;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface FcgiRecord {
  readonly type: number;
  /** 0 = about the connection itself, not about a request. */
  readonly requestId: number;
  readonly content: Uint8Array;
}

/** One record, padded to a multiple of eight bytes as the specification recommends. */
export function encodeRecord(
  type: number,
  requestId: number,
  content: Uint8Array = NOTHING,
): Uint8Array {
  if (content.length > CONTENT_MAX) {
    throw new RangeError(`a record holds ${CONTENT_MAX} bytes, not ${content.length}`);
  }
  const padding = -content.length & 7;
  const bytes = new Uint8Array(HEADER_BYTES + content.length + padding);
  bytes.set([VERSION, type, requestId >> 8, requestId & 0xff]);
  bytes.set([content.length >> 8, content.length & 0xff, padding], 4);
  bytes.set(content, HEADER_BYTES);
  return bytes;
}

/** A stream's bytes as records of at most 65535 bytes; without the empty one that ends a stream. */
export function* encodeStream(
  type: number,
  requestId: number,
  bytes: Uint8Array,
): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CONTENT_MAX) {
    yield encodeRecord(type, requestId, bytes.subarray(at, at + CONTENT_MAX));
  }
}

/** Opens a request for the role Responder. */
export function encodeBeginRequest(requestId: number, keepConnection: boolean): Uint8Array {
  const content = new Uint8Array(8);
  content[1] = ROLE_RESPONDER;
  content[2] = keepConnection ? KEEP_CONN : 0;
  return encodeRecord(RECORD.beginRequest, requestId, content);
}

export interface BeginRequest {
  readonly role: "responder" | "other";
  readonly keepConnection: boolean;
}

export function decodeBeginRequest(content: Uint8Array): BeginRequest {
  if (content.length < 8) throw malformed("a BEGIN_REQUEST record shorter than 8 bytes");
  const role = (content[0]! << 8) | content[1]!;
  return {
    role: role === ROLE_RESPONDER ? "responder" : "other",
    keepConnection: (content[2]! & KEEP_CONN) !== 0,
  };
}

/** How the protocol, not the program, ended a request; by number, section 5.5. */
export const PROTOCOL_STATUS = [
  "REQUEST_COMPLETE",
  "CANT_MPX_CONN",
  "OVERLOADED",
  "UNKNOWN_ROLE",
] as const;
export type ProtocolStatus = (typeof PROTOCOL_STATUS)[number];

export interface EndRequest {
  /** The program's exit code as it tells it. */
  readonly appStatus: number;
  readonly protocolStatus: ProtocolStatus;
}

export function encodeEndRequest(requestId: number, end: EndRequest): Uint8Array {
  const content = new Uint8Array(8);
  new DataView(content.buffer).setUint32(0, end.appStatus);
  content[4] = PROTOCOL_STATUS.indexOf(end.protocolStatus);
  return encodeRecord(RECORD.endRequest, requestId, content);
}

export function decodeEndRequest(content: Uint8Array): EndRequest {
  if (content.length < 8) throw malformed("an END_REQUEST record shorter than 8 bytes");
  const protocolStatus = PROTOCOL_STATUS[content[4]!];
  if (protocolStatus === undefined) throw malformed(`the protocol status ${content[4]}`);
  return { appStatus: view(content).getUint32(0), protocolStatus };
}

/** Name-value pairs, section 3.4: each length in one byte, or in four from 128 on. */
export function encodePairs(pairs: Iterable<readonly [string, string]>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, value] of pairs) {
    const nameBytes = encoder.encode(name);
    const valueBytes = encoder.encode(value);
    parts.push(lengthBytes(nameBytes.length), lengthBytes(valueBytes.length));
    parts.push(nameBytes, valueBytes);
  }
  return joined(parts);
}

export function decodePairs(bytes: Uint8Array): [string, string][] {
  const pairs: [string, string][] = [];
  let at = 0;
  const length = () => {
    const first = bytes[at];
    if (first === undefined) throw malformed("a name-value pair that is cut off");
    if (first < 128) return bytes[at++]!;
    if (at + 4 > bytes.length) throw malformed("a name-value pair that is cut off");
    at += 4;
    return view(bytes).getUint32(at - 4) & 0x7fffffff;
  };
  const text = (size: number) => {
    if (at + size > bytes.length) throw malformed("a name-value pair that is cut off");
    at += size;
    return decoder.decode(bytes.subarray(at - size, at));
  };
  while (at < bytes.length) {
    const sizes = [length(), length()] as const;
    pairs.push([text(sizes[0]), text(sizes[1])]);
  }
  return pairs;
}

/** The parts one behind the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** What cannot be FastCGI. */
export function malformed(what: string): Fault {
  return new Fault(`the peer does not speak FastCGI: it sent ${what}`, {
    hint: "is something else, say an HTTP server, listening at this address?",
  });
}

function lengthBytes(length: number): Uint8Array {
  if (length < 128) return Uint8Array.of(length);
  const bytes = new Uint8Array(4);
  view(bytes).setUint32(0, (length | 0x80000000) >>> 0);
  return bytes;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
