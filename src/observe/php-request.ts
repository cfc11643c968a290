// The request a php-cgi worker is in, out of PHP's own record of it: the exported variable
// sapi_globals, whose first fields are the same in every 64 bit PHP that is not thread-safe (SAPI.h:
// server_context, then request_info). Nothing is asked of the worker.

import { loadAddress, type ProcessMemory, withMemory } from "../sys/proc/memory.ts";
import { symbolOffset } from "./elf.ts";
import type { RequestRecord } from "./request.ts";

const FIELDS = { context: 0, method: 8, query: 16, length: 32, script: 40, uri: 48 } as const;
const RECORD_BYTES = 56;
/** In fcgi_request, which server_context points to (main/fastcgi.c since PHP 7.1): the fifth int. */
const KEEP_OFFSET = 16;
const TEXT_BYTES = 512;

/** The request in flight; "none" between requests; null when PHP's record cannot be read. */
export function phpRequestOf(pid: number): RequestRecord {
  const offset = symbolOffset(pid, "sapi_globals");
  if (offset === null) return null;
  const base = loadAddress(pid);
  if (base === null) return null;
  return withMemory(pid, (memory) => {
    const bytes = memory.read(base + offset, RECORD_BYTES);
    if (bytes === null) return null;
    const record = new DataView(bytes.buffer);
    const isNull = (field: number) => record.getBigUint64(field, true) === 0n;
    // On a connection that is kept open the context outlives the request; the script does not.
    if (isNull(FIELDS.context) || isNull(FIELDS.script)) return "none";
    const text = (field: number) => textAt(memory, Number(record.getBigUint64(field, true)));
    const keep = memory.read(Number(record.getBigUint64(FIELDS.context, true)) + KEEP_OFFSET, 4);
    return {
      kept: keep === null || new DataView(keep.buffer).getInt32(0, true) !== 0,
      method: text(FIELDS.method),
      uri: text(FIELDS.uri),
      query: text(FIELDS.query),
      script: text(FIELDS.script),
      contentLength: lengthOf(record.getBigInt64(FIELDS.length, true)),
    };
  });
}

/** What the memory of a worker says is its own affair. */
function lengthOf(bytes: bigint): number {
  return bytes > 0n && bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bytes) : 0;
}

function textAt(memory: ProcessMemory, address: number): string {
  if (address === 0) return "";
  // A page may end within the longest text that is looked for.
  for (let length = TEXT_BYTES; length >= 16; length /= 2) {
    const bytes = memory.read(address, length);
    if (bytes === null) continue;
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(bytes.subarray(0, end < 0 ? length : end));
  }
  return "";
}
