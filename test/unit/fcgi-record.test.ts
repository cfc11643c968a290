// The FastCGI records: what is encoded comes back, however the bytes are cut into chunks.

import { describe, expect, test } from "bun:test";
import { RecordDecoder } from "../../src/fcgi/decoder.ts";
import {
  CONTENT_MAX,
  decodeBeginRequest,
  decodeEndRequest,
  decodePairs,
  encodeBeginRequest,
  encodeEndRequest,
  encodePairs,
  encodeRecord,
  encodeStream,
  type FcgiRecord,
  joined,
  PROTOCOL_STATUS,
  RECORD,
} from "../../src/fcgi/record.ts";

/** Repeatable random numbers below `limit` (mulberry32), so that a failure can be run again. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
}

function decodeCut(bytes: Uint8Array, cuts: readonly number[]): FcgiRecord[] {
  const decoder = new RecordDecoder();
  const edges = [0, ...cuts, bytes.length];
  return edges.slice(1).flatMap((edge, i) => decoder.feed(bytes.subarray(edges[i]!, edge)));
}

describe("encoding", () => {
  test("a header is eight bytes, the content padded to a multiple of eight", () => {
    expect([...encodeRecord(RECORD.stdin, 0x0102, Uint8Array.of(9, 8, 7))]).toEqual([
      1, 5, 1, 2, 0, 3, 5, 0, 9, 8, 7, 0, 0, 0, 0, 0,
    ]);
    expect(encodeRecord(RECORD.stdin, 1, bytesOf(16)).length).toBe(24);
  });

  test("a begin request carries the role and the keep flag", () => {
    expect([...encodeBeginRequest(1, true).subarray(8)]).toEqual([0, 1, 1, 0, 0, 0, 0, 0]);
    expect(decodeBeginRequest(Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0))).toEqual({
      role: "responder",
      keepConnection: false,
    });
    expect(decodeBeginRequest(Uint8Array.of(0, 3, 1, 0, 0, 0, 0, 0))).toEqual({
      role: "other",
      keepConnection: true,
    });
  });

  test("a stream is split at 65535 bytes, and an empty one has no record", () => {
    const sizes = (n: number) =>
      [...encodeStream(RECORD.stdin, 1, bytesOf(n))].flatMap((r) =>
        new RecordDecoder().feed(r).map((record) => record.content.length),
      );
    expect(sizes(0)).toEqual([]);
    expect(sizes(65535)).toEqual([65535]);
    expect(sizes(65536)).toEqual([65535, 1]);
    expect(sizes(200000)).toEqual([65535, 65535, 65535, 3395]);
  });

  test("a record refuses more than it can hold", () => {
    expect(() => encodeRecord(RECORD.stdin, 1, bytesOf(CONTENT_MAX + 1))).toThrow(RangeError);
  });

  test("an end request comes back for every protocol status and large exit codes", () => {
    for (const protocolStatus of PROTOCOL_STATUS) {
      for (const appStatus of [0, 3, 0xffffffff]) {
        const bytes = encodeEndRequest(1, { appStatus, protocolStatus });
        expect(decodeEndRequest(bytes.subarray(8))).toEqual({ appStatus, protocolStatus });
      }
    }
    expect(() => decodeEndRequest(Uint8Array.of(0, 0, 0, 0, 9, 0, 0, 0))).toThrow("status 9");
    expect(() => decodeEndRequest(bytesOf(4))).toThrow("shorter than 8");
  });
});

describe("name-value pairs", () => {
  test("lengths take one byte up to 127, four from 128", () => {
    expect([...encodePairs([["ab", "c"]])]).toEqual([2, 1, 97, 98, 99]);
    const long = encodePairs([["n", "v".repeat(128)]]);
    expect([...long.subarray(0, 6)]).toEqual([1, 0x80, 0, 0, 128, 110]);
  });

  test("every combination of lengths around the limits comes back", () => {
    const sizes = [0, 1, 126, 127, 128, 129, 255, 256, 65535, 70000];
    const pairs = sizes.flatMap((a) => sizes.map((b) => ["n".repeat(a), "é".repeat(b)] as const));
    expect(decodePairs(encodePairs(pairs))).toEqual(pairs.map(([n, v]) => [n, v]));
  });

  test("pairs cut off anywhere are a fault, never garbage", () => {
    const bytes = encodePairs([["name", "v".repeat(130)]]);
    for (let cut = 1; cut < bytes.length; cut++) {
      expect(() => decodePairs(bytes.subarray(0, cut))).toThrow("cut off");
    }
  });
});

describe("decoding", () => {
  const content = [bytesOf(0), bytesOf(1), bytesOf(8), bytesOf(13)];
  const wire = joined(content.map((bytes, i) => encodeRecord(6, i + 1, bytes)));
  const whole = content.map((bytes, i) => ({ type: 6, requestId: i + 1, content: bytes }));

  test("every two cuts of the stream give the same records", () => {
    for (let a = 0; a <= wire.length; a++) {
      for (let b = a; b <= wire.length; b++) expect(decodeCut(wire, [a, b])).toEqual(whole);
    }
  });

  test("byte by byte", () => {
    const cuts = Array.from({ length: wire.length }, (_, i) => i);
    expect(decodeCut(wire, cuts)).toEqual(whole);
  });

  test("random records, random padding sizes, random cuts", () => {
    const random = randomFrom(20081014);
    for (let round = 0; round < 50; round++) {
      const records = Array.from({ length: 1 + random(5) }, () => ({
        type: 1 + random(11),
        requestId: random(65536),
        content: bytesOf(random(3) === 0 ? CONTENT_MAX - random(9) : random(300)),
      }));
      const bytes = joined(records.map((r) => encodeRecord(r.type, r.requestId, r.content)));
      const cuts = Array.from({ length: random(20) }, () => random(bytes.length)).sort(
        (a, b) => a - b,
      );
      expect(decodeCut(bytes, cuts)).toEqual(records);
    }
  });

  test("records do not share memory with the chunk they came in", () => {
    const chunk = encodeRecord(6, 1, Uint8Array.of(1, 2, 3));
    const [record] = new RecordDecoder().feed(chunk);
    chunk.fill(0);
    expect([...record!.content]).toEqual([1, 2, 3]);
  });

  test("another version is refused at its first byte, telling what came", () => {
    expect(() => new RecordDecoder().feed(Buffer.from("HTTP/1.1 400 Bad Request"))).toThrow(
      'does not speak FastCGI: it sent "HTTP/1.1"',
    );
    expect(() => new RecordDecoder().feed(Uint8Array.of(2))).toThrow("does not speak FastCGI");
  });
});
