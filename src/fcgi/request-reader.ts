// The server's half of the protocol: records in, whole requests and ready-made replies out. Pure, so
// that it is tested without a socket. One request at a time on a connection.

import { RecordDecoder } from "./decoder.ts";
import {
  decodeBeginRequest,
  decodePairs,
  encodeEndRequest,
  encodePairs,
  encodeRecord,
  type FcgiRecord,
  joined,
  type ProtocolStatus,
  RECORD,
} from "./record.ts";

export interface ServerRequest {
  readonly id: number;
  readonly keepConnection: boolean;
  readonly params: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export type Incoming =
  | { readonly what: "request"; readonly request: ServerRequest }
  /** Bytes to send; then the connection ends if `close` is set. */
  | { readonly what: "reply"; readonly bytes: Uint8Array; readonly close: boolean };

/** What a connection may ask about with FCGI_GET_VALUES, section 4.1. */
const VALUES = new Map([
  ["FCGI_MAX_CONNS", "1"],
  ["FCGI_MAX_REQS", "1"],
  ["FCGI_MPXS_CONNS", "0"],
]);

interface Open {
  readonly id: number;
  readonly keepConnection: boolean;
  readonly params: Uint8Array[];
  readonly body: Uint8Array[];
}

export class RequestReader {
  private readonly decoder = new RecordDecoder();
  private open: Open | null = null;

  /** Whether a request has begun, were it with half a header, and is not complete. */
  get isInRequest(): boolean {
    return this.open !== null || this.decoder.isMidway;
  }

  /** Takes the next chunk; returns what it completes. Throws a Fault when it is not FastCGI. */
  feed(chunk: Uint8Array): Incoming[] {
    return this.decoder
      .feed(chunk)
      .map((record) => this.take(record))
      .filter((incoming) => incoming !== null);
  }

  private take(record: FcgiRecord): Incoming | null {
    const { open } = this;
    if (record.requestId === 0) return managementReply(record);
    if (record.type === RECORD.beginRequest) return this.begin(record);
    if (open === null || record.requestId !== open.id) return null;
    if (record.type === RECORD.abortRequest) return this.abort(open);
    if (record.type === RECORD.params) open.params.push(record.content);
    if (record.type !== RECORD.stdin) return null;
    if (record.content.length === 0) return this.finish(open);
    open.body.push(record.content);
    return null;
  }

  private begin(record: FcgiRecord): Incoming | null {
    const { role, keepConnection } = decodeBeginRequest(record.content);
    if (this.open !== null) return refusal(record.requestId, "CANT_MPX_CONN", false);
    if (role === "other") return refusal(record.requestId, "UNKNOWN_ROLE", !keepConnection);
    this.open = { id: record.requestId, keepConnection, params: [], body: [] };
    return null;
  }

  private abort(request: Open): Incoming {
    this.open = null;
    return refusal(request.id, "REQUEST_COMPLETE", !request.keepConnection);
  }

  private finish({ id, keepConnection, params, body }: Open): Incoming {
    this.open = null;
    const pairs = new Map(decodePairs(joined(params)));
    return { what: "request", request: { id, keepConnection, params: pairs, body: joined(body) } };
  }
}

function refusal(id: number, protocolStatus: ProtocolStatus, close: boolean): Incoming {
  return { what: "reply", bytes: encodeEndRequest(id, { appStatus: 0, protocolStatus }), close };
}

function managementReply(record: FcgiRecord): Incoming {
  return { what: "reply", bytes: managementBytes(record), close: false };
}

function managementBytes(record: FcgiRecord): Uint8Array {
  if (record.type !== RECORD.getValues) {
    return encodeRecord(RECORD.unknownType, 0, Uint8Array.of(record.type, 0, 0, 0, 0, 0, 0, 0));
  }
  const asked = decodePairs(record.content).map(([name]) => name);
  const known = [...VALUES].filter(([name]) => asked.includes(name));
  return encodeRecord(RECORD.getValuesResult, 0, encodePairs(known));
}
