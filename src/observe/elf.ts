// Where a program keeps one of its exported variables, read from the dynamic symbol table of its ELF
// file (elf(5)). 64 bit little-endian only, which is what this program runs on. The file is a worker's
// and may say anything: what does not fit together counts as no symbol.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const SHT_DYNSYM = 11;
const SYMBOL_BYTES = 24;
const SECTION_BYTES = 64;
/** Bytes of a table; PHP's have some hundred thousand. */
const TABLE_MOST = 64 * 1024 * 1024;

const known = new Map<string, number | null>();

/** The address of a symbol relative to where the file is loaded; null when it exports none. */
export function symbolOffset(path: string, symbol: string): number | null {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    // No right to look at another user's program, or it is gone.
    return null;
  }
  try {
    const { dev, ino, mtimeMs } = fstatSync(fd);
    const key = [dev, ino, mtimeMs, symbol].join();
    const seen = known.get(key);
    if (seen !== undefined) return seen;
    const offset = lookUp(fd, symbol);
    known.set(key, offset);
    return offset;
  } catch {
    // Places beyond what a file can have.
    return null;
  } finally {
    closeSync(fd);
  }
}

function lookUp(fd: number, symbol: string): number | null {
  const header = slice(fd, 0, 64);
  if (header === null || header.getUint32(0) !== 0x7f454c46 || header.getUint8(4) !== 2)
    return null;
  const count = header.getUint16(0x3c, true);
  const sections = slice(fd, Number(header.getBigUint64(0x28, true)), count * SECTION_BYTES);
  if (sections === null) return null;
  for (let i = 0; i < count; i++) {
    if (sections.getUint32(i * SECTION_BYTES + 4, true) !== SHT_DYNSYM) continue;
    const symbols = section(fd, sections, i);
    const names = section(fd, sections, sections.getUint32(i * SECTION_BYTES + 40, true));
    return symbols === null || names === null ? null : find(symbols, names, symbol);
  }
  return null;
}

function section(fd: number, sections: DataView, index: number): DataView | null {
  const at = index * SECTION_BYTES;
  const offset = Number(sections.getBigUint64(at + 24, true));
  return slice(fd, offset, Number(sections.getBigUint64(at + 32, true)));
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

function slice(fd: number, offset: number, length: number): DataView | null {
  if (length > TABLE_MOST) return null;
  const bytes = new Uint8Array(length);
  return readSync(fd, bytes, 0, length, offset) === length ? new DataView(bytes.buffer) : null;
}
