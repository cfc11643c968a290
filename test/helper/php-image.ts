// A memory as a PHP 8.2 process has it, made up: a stack of functions that a test can break as it likes.

import type { Memory } from "../../src/observe/memory-bytes.ts";
import { phpLayout } from "../../src/observe/php-layout.ts";
import type { PhpProgram } from "../../src/observe/php-program.ts";

export const PROGRAM: PhpProgram = {
  layout: phpLayout("8.2.0")!,
  executorGlobals: 0x5000_0000,
  sapiGlobals: 0x5000_0800,
};

/** Where the made-up memory begins and ends; nothing else is there. */
export const START = 0x7000_0000;
const STACK = START + 0x10_0000;
const FRAME_BYTES = 96;

export class PhpImage implements Memory {
  readonly bytes: Uint8Array;
  readonly globals = new DataView(new ArrayBuffer(4096));
  readonly view: DataView;
  bytesRead = 0;
  private free = START + 64;
  /** Called before each read, as a process that runs on. */
  meanwhile: () => void = () => {};

  constructor(length = 2 * 1024 * 1024) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }

  readAll(ranges: Parameters<Memory["readAll"]>[0]): (Uint8Array | null)[] {
    return ranges.map(({ offset, length }) => {
      this.meanwhile();
      this.bytesRead += length;
      const inGlobals = offset - PROGRAM.executorGlobals;
      if (inGlobals >= 0 && inGlobals + length <= this.globals.byteLength)
        return new Uint8Array(this.globals.buffer.slice(inGlobals, inGlobals + length));
      const at = offset - START;
      return at >= 0 && at + length <= this.bytes.length ? this.bytes.slice(at, at + length) : null;
    });
  }

  setCurrent(address: number): void {
    this.globals.setBigUint64(PROGRAM.layout.currentFrame, BigInt(address), true);
  }

  word(address: number, value: number): void {
    this.view.setBigUint64(address - START, BigInt(value), true);
  }

  number(address: number, value: number): void {
    this.view.setUint32(address - START, value, true);
  }

  text(value: string): number {
    const encoded = new TextEncoder().encode(value);
    const address = this.take(24 + encoded.length + 1);
    this.word(address + 16, encoded.length);
    this.bytes.set(encoded, address - START + 24);
    return address;
  }

  /** A function in lines 10 to 20 of /srv/NAME.php. */
  userFunction(name: string | null, ofClass: string | null = null): number {
    const address = this.take(240);
    this.bytes[address - START] = 2;
    if (name !== null) this.word(address + 8, this.text(name));
    if (ofClass !== null) {
      const scope = this.take(16);
      this.word(scope + 8, this.text(ofClass));
      this.word(address + 16, scope);
    }
    this.word(address + PROGRAM.layout.filename, this.text(`/srv/${name ?? "index"}.php`));
    this.number(address + PROGRAM.layout.filename + 8, 10);
    this.number(address + PROGRAM.layout.filename + 12, 20);
    return address;
  }

  instruction(line: number): number {
    const address = this.take(32);
    this.number(address + 24, line);
    return address;
  }

  /** Puts a frame in the so-manieth place of the stack, on top of the one below. */
  frame(place: number, callee: number, opline: number): number {
    const address = STACK + place * FRAME_BYTES;
    this.word(address, opline);
    this.word(address + 24, callee);
    this.word(address + 48, place === 0 ? 0 : address - FRAME_BYTES);
    return address;
  }

  private take(length: number): number {
    const address = this.free;
    this.free += Math.ceil(length / 16) * 16;
    return address;
  }
}

/** A stack of so many frames: the script, and functions f1, f2, … in class C, each at line 15. */
export function imageOf(depth: number): PhpImage {
  const image = new PhpImage();
  const line = image.instruction(15);
  for (let place = 0; place < depth; place++) {
    const callee = place === 0 ? image.userFunction(null) : image.userFunction(`f${place}`, "C");
    image.setCurrent(image.frame(place, callee, line));
  }
  return image;
}
