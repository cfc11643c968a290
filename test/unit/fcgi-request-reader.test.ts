// The server's half of the protocol, fed with records as a web server would send them.

import { expect, test } from "bun:test";
import { RecordDecoder } from "../../src/fcgi/decoder.ts";
import {
  decodeEndRequest,
  decodePairs,
  encodeBeginRequest,
  encodePairs,
  encodeRecord,
  joined,
  RECORD,
} from "../../src/fcgi/record.ts";
import { RequestReader, type Incoming } from "../../src/fcgi/request-reader.ts";

const pairs = encodePairs([
  ["A", "1"],
  ["B", "x".repeat(200)],
]);
const request = (id: number, keep: boolean) =>
  joined([
    encodeBeginRequest(id, keep),
    encodeRecord(RECORD.params, id, pairs.subarray(0, 5)),
    encodeRecord(RECORD.params, id, pairs.subarray(5)),
    encodeRecord(RECORD.params, id),
    encodeRecord(RECORD.stdin, id, Buffer.from("bo")),
    encodeRecord(RECORD.stdin, id, Buffer.from("dy")),
    encodeRecord(RECORD.stdin, id),
  ]);

function replyOf(incoming: Incoming | undefined) {
  if (incoming?.what !== "reply") throw new Error("no reply");
  return { record: new RecordDecoder().feed(incoming.bytes)[0]!, close: incoming.close };
}

test("requests come whole, one after the other on one connection", () => {
  const incoming = new RequestReader().feed(joined([request(1, true), request(9, false)]));
  expect(incoming).toMatchObject([
    { what: "request", request: { id: 1, keepConnection: true } },
    { what: "request", request: { id: 9, keepConnection: false } },
  ]);
  const [first] = incoming;
  if (first?.what !== "request") throw new Error("no request");
  expect([...first.request.params]).toEqual(decodePairs(pairs));
  expect(Buffer.from(first.request.body).toString()).toBe("body");
});

test("it knows whether a request is half there", () => {
  const reader = new RequestReader();
  const bytes = request(1, false);
  expect(reader.isInRequest).toBe(false);
  for (let i = 0; i < bytes.length - 1; i++) {
    expect(reader.feed(bytes.subarray(i, i + 1))).toEqual([]);
    expect(reader.isInRequest).toBe(true);
  }
  expect(reader.feed(bytes.subarray(-1)).length).toBe(1);
  expect(reader.isInRequest).toBe(false);
});

test("FCGI_GET_VALUES is answered with what was asked and is known", () => {
  const asked = encodePairs([
    ["FCGI_MPXS_CONNS", ""],
    ["FCGI_NO_SUCH", ""],
  ]);
  const [incoming] = new RequestReader().feed(encodeRecord(RECORD.getValues, 0, asked));
  const { record, close } = replyOf(incoming);
  expect([record.type, close]).toEqual([RECORD.getValuesResult, false]);
  expect(decodePairs(record.content)).toEqual([["FCGI_MPXS_CONNS", "0"]]);
});

test("an unknown management record is named in the answer", () => {
  const { record } = replyOf(new RequestReader().feed(encodeRecord(99, 0))[0]);
  expect([record.type, record.content[0]]).toEqual([RECORD.unknownType, 99]);
});

test("a second request at once, and another role, are refused by the protocol's own words", () => {
  const reader = new RequestReader();
  reader.feed(encodeBeginRequest(1, false));
  const second = replyOf(reader.feed(encodeBeginRequest(2, false))[0]);
  expect(second).toMatchObject({ record: { requestId: 2 }, close: false });
  expect(decodeEndRequest(second.record.content).protocolStatus).toBe("CANT_MPX_CONN");
  const authorizer = encodeRecord(RECORD.beginRequest, 3, Uint8Array.of(0, 2, 0, 0, 0, 0, 0, 0));
  const role = replyOf(new RequestReader().feed(authorizer)[0]);
  expect(decodeEndRequest(role.record.content).protocolStatus).toBe("UNKNOWN_ROLE");
  expect(role.close).toBe(true);
});

test("an aborted request ends, and the next one is served", () => {
  const reader = new RequestReader();
  reader.feed(encodeBeginRequest(1, true));
  const { record, close } = replyOf(reader.feed(encodeRecord(RECORD.abortRequest, 1))[0]);
  expect(record.type).toBe(RECORD.endRequest);
  expect(close).toBe(false);
  expect(reader.feed(request(2, true)).length).toBe(1);
});
