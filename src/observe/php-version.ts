// Which PHP a program is, by the header that it has ready to send (main/SAPI.h, SAPI_PHP_VERSION_HEADER): the
// text is in every build, stripped or not. The file is a worker's and may say anything.

import { fstatSync, readSync } from "node:fs";

const HEADER = "X-Powered-By: PHP/";
/** Bytes behind it that hold the version. */
const VERSION_BYTES = 16;
/** Bytes of a program that are looked through; php-cgi has five million. */
const PROGRAM_MOST = 64 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

/** Of the programs looked at last. */
const known = new Map<string, string | null>();
const KNOWN_MOST = 64;

/** `8.2.29`; null when the open file does not say that it is PHP. */
export function phpVersionIn(fd: number): string | null {
  const { dev, ino, mtimeMs, size } = fstatSync(fd);
  const key = [dev, ino, mtimeMs, size].join();
  if (!known.has(key)) {
    if (known.size >= KNOWN_MOST) known.delete(known.keys().next().value!);
    known.set(key, lookFor(fd, Math.min(size, PROGRAM_MOST)));
  }
  return known.get(key)!;
}

function lookFor(fd: number, size: number): string | null {
  const overlap = HEADER.length + VERSION_BYTES;
  const chunk = Buffer.alloc(CHUNK_BYTES + overlap);
  for (let start = 0; start < size; start += CHUNK_BYTES) {
    const length = readSync(fd, chunk, 0, chunk.length, start);
    const bytes = chunk.subarray(0, length);
    for (let at = bytes.indexOf(HEADER); at >= 0; at = bytes.indexOf(HEADER, at + 1)) {
      const behind = bytes.toString("latin1", at + HEADER.length, at + overlap);
      const version = /^\d{1,2}\.\d{1,3}\.\d{1,3}/.exec(behind);
      if (version !== null) return version[0];
    }
  }
  return null;
}
