// The symbol table of a program is read out of a file that its owner has made: whatever is in it, there is
// an answer, soon, and no more is read than the file has.

import { afterAll, expect, test } from "bun:test";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { symbolIn } from "../../src/observe/elf.ts";
import { random } from "../config-cases/random.ts";

const dir = mkdtempSync(join(tmpdir(), "fv-elf-"));
afterAll(() => rmSync(dir, { recursive: true }));
let files = 0;

function lookIn(bytes: Uint8Array, size = bytes.length): number | null {
  const file = join(dir, String(files++));
  writeFileSync(file, bytes);
  if (size !== bytes.length) truncateSync(file, size);
  const fd = openSync(file, "r");
  try {
    return symbolIn(fd, "sapi_globals");
  } finally {
    closeSync(fd);
    rmSync(file);
  }
}

const SECTIONS = 64;
const SYMBOLS = SECTIONS + 3 * 64;

/** A program with two symbols, of which the second is the one looked for, at 0x1234. */
function program(): DataView {
  const view = new DataView(new ArrayBuffer(SYMBOLS + 2 * 24 + 32));
  view.setUint32(0, 0x7f454c46);
  view.setUint8(4, 2);
  view.setBigUint64(0x28, BigInt(SECTIONS), true);
  view.setUint16(0x3c, 3, true);
  const section = (index: number, type: number, offset: number, length: number, link: number) => {
    const at = SECTIONS + index * 64;
    view.setUint32(at + 4, type, true);
    view.setBigUint64(at + 24, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(length), true);
    view.setUint32(at + 40, link, true);
  };
  section(1, 11, SYMBOLS, 48, 2);
  section(2, 3, SYMBOLS + 48, 32, 0);
  view.setUint32(SYMBOLS + 24, 1, true);
  view.setBigUint64(SYMBOLS + 24 + 8, 0x1234n, true);
  new Uint8Array(view.buffer).set(Buffer.from("\0sapi_globals\0"), SYMBOLS + 48);
  return view;
}

const bytesOf = (view: DataView) => new Uint8Array(view.buffer);

test("a symbol that is there is found", () => {
  expect(lookIn(bytesOf(program()))).toBe(0x1234);
});

test("a table of 2^62 bytes, and one of 3 GiB that the file has, are none", () => {
  for (const length of [2n ** 62n, 3n * 1024n ** 3n]) {
    const view = program();
    view.setBigUint64(SECTIONS + 64 + 32, length, true);
    const before = process.memoryUsage.rss();
    expect(lookIn(bytesOf(view), Number(length < 2n ** 40n ? length + 4096n : 4096n))).toBe(null);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
  }
});

test("whatever is changed in a program, there is an answer", () => {
  const { below } = random(11);
  for (let i = 0; i < 2000; i++) {
    const bytes = bytesOf(program());
    for (let changes = 1 + below(4); changes > 0; changes--)
      bytes[below(bytes.length)] = [0, 1, 0x7f, 0x80, 0xff, below(256)][below(6)]!;
    const answer = lookIn(bytes.subarray(0, below(8) === 0 ? below(bytes.length) : bytes.length));
    expect(answer === null || typeof answer === "number").toBe(true);
  }
});

test("what is no program has no symbols", () => {
  expect(lookIn(new Uint8Array(0))).toBe(null);
  expect(lookIn(readFileSync(import.meta.path))).toBe(null);
});
