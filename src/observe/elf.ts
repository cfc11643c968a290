// Where a program keeps one of its exported variables, read from the dynamic symbol table of its ELF
// file (elf(5)). 64 bit little-endian only, which is what this program runs on. The file is a worker's
// and may say anything: what does not fit together counts as no symbol.

import { closeSync, fstatSync, readSync } from "node:fs";
import { openProgram } from "../sys/proc/memory.ts";

const SHT_DYNSYM = 11;
const SYMBOL_BYTES = 24;
const SECTION_BYTES = 64;
/** Bytes of a table; PHP's have some hundred thousand. */
const TABLE_MOST = 4 * 1024 * 1024;

/** What was found in the programs looked at last; whoever makes programs without end gets no more memory. */
const known = new Map<string, number | null>();
const KNOWN_MOST = 64;

/** The address of a symbol relative to where the program of a process is loaded; null when it exports none. */
export function symbolOffset(pid: number, symbol: string): number | null {
  const fd = openProgram(pid);
  if (fd === null) return null;
  try {
    return symbolIn(fd, symbol);
  } finally {
    closeSync(fd);
  }
}

/** The same for an open file, whatever is in it. */
export function symbolIn(fd: number, symbol: string): number | null {
  try {
    const { dev, ino, mtimeMs, size } = fstatSync(fd);
    const key = [dev, ino, mtimeMs, size, symbol].join();
    const seen = known.get(key);
    if (seen !== undefined) return seen;
    const offset = lookUp({ fd, size }, symbol);
    if (known.size >= KNOWN_MOST) known.delete(known.keys().next().value!);
    known.set(key, offset);
    return offset;
  } catch {
    // Places beyond what a file can have.
    return null;
  }
}

interface File {
  readonly fd: number;
  /** Bytes. */
  readonly size: number;
}

function lookUp(file: File, symbol: string): number | null {
  const header = slice(file, 0, 64);
  if (header === null || header.getUint32(0) !== 0x7f454c46 || header.getUint8(4) !== 2)
    return null;
  const count = header.getUint16(0x3c, true);
  const sections = slice(file, Number(header.getBigUint64(0x28, true)), count * SECTION_BYTES);
  if (sections === null) return null;
  for (let i = 0; i < count; i++) {
    if (sections.getUint32(i * SECTION_BYTES + 4, true) !== SHT_DYNSYM) continue;
    const symbols = section(file, sections, i);
    const names = section(file, sections, sections.getUint32(i * SECTION_BYTES + 40, true));
    return symbols === null || names === null ? null : find(symbols, names, symbol);
  }
  return null;
}

function section(file: File, sections: DataView, index: number): DataView | null {
  const at = index * SECTION_BYTES;
  const offset = Number(sections.getBigUint64(at + 24, true));
  return slice(file, offset, Number(sections.getBigUint64(at + 32, true)));
}

function find(symbols: DataView, names: DataView, symbol: string): number | null {
  const wanted = Buffer.from(`${symbol}\0`);
  const text = new Uint8Array(names.buffer, names.byteOffset, names.byteLength);
  for (let at = 0; at + SYMBOL_BYTES <= symbols.byteLength; at += SYMBOL_BYTES) {
    const name = symbols.getUint32(at, true);
    if (wanted.every((byte, i) => text[name + i] === byte)) {
      return Number(symbols.getBigUint64(at + 8, true));
    }
  }
  return null;
}

function slice({ fd, size }: File, offset: number, length: number): DataView | null {
  if (length > TABLE_MOST || offset + length > size) return null;
  const bytes = new Uint8Array(length);
  return readSync(fd, bytes, 0, length, offset) === length ? new DataView(bytes.buffer) : null;
}
