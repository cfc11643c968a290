// Turns chunks of any size, as a socket gives them, into whole FastCGI records. It keeps back at
// most the unfinished record, so its memory is bounded by 65 kB whatever the peer sends.

import { CONTENT_MAX, type FcgiRecord, HEADER_BYTES, malformed } from "./record.ts";

const PADDING_MAX = 255;

export class RecordDecoder {
  private readonly pending = new Uint8Array(HEADER_BYTES + CONTENT_MAX + PADDING_MAX);
  private held = 0;

  /** Whether a record has begun and is not complete. */
  get isMidway(): boolean {
    return this.held > 0;
  }

  /**
   * Takes the next chunk, returns the records that it completes; contents are copies. Throws a Fault
   * as soon as a header's version is not 1: the peer does not speak FastCGI.
   */
  feed(chunk: Uint8Array): FcgiRecord[] {
    const { pending } = this;
    const records: FcgiRecord[] = [];
    let at = 0;
    while (at < chunk.length) {
      const wanted = this.held < HEADER_BYTES ? HEADER_BYTES : recordBytes(pending);
      const part = chunk.subarray(at, at + wanted - this.held);
      pending.set(part, this.held);
      at += part.length;
      this.held += part.length;
      if (pending[0] !== 1) throw malformed(opening(pending.subarray(0, this.held)));
      if (this.held >= HEADER_BYTES && this.held === recordBytes(pending)) {
        records.push(recordIn(pending));
        this.held = 0;
      }
    }
    return records;
  }
}

function recordBytes(header: Uint8Array): number {
  return HEADER_BYTES + contentBytes(header) + header[6]!;
}

function contentBytes(header: Uint8Array): number {
  return (header[4]! << 8) | header[5]!;
}

function recordIn(bytes: Uint8Array): FcgiRecord {
  return {
    type: bytes[1]!,
    requestId: (bytes[2]! << 8) | bytes[3]!,
    content: bytes.slice(HEADER_BYTES, HEADER_BYTES + contentBytes(bytes)),
  };
}

function opening(bytes: Uint8Array): string {
  return JSON.stringify(Buffer.from(bytes).toString("latin1"));
}
