// Reading another process's memory as numbers and addresses, and no more of it than agreed. What stands
// there is that process's to write.

import type { ProcessMemory } from "../sys/proc/memory.ts";
import { type Range, RANGES_MOST } from "../sys/proc/timed-read.ts";

/** What is needed of a memory, so that a test can make one up. */
export type Memory = Pick<ProcessMemory, "readAll">;

/** No user address is above (arm64 with 48 bit; x64 has 47). */
const HIGHEST = 2 ** 48;
const LOWEST = 4096;
const WORD_BYTES = 8;

/** Bytes that were read, with the address of the first. */
export class Bytes {
  readonly address: number;
  readonly all: Uint8Array;
  private readonly view: DataView;

  constructor(address: number, all: Uint8Array) {
    this.address = address;
    this.all = all;
    this.view = new DataView(all.buffer, all.byteOffset, all.byteLength);
  }

  byte(at: number): number {
    return this.view.getUint8(at);
  }

  /** 32 bit, unsigned. */
  number(at: number): number {
    return this.view.getUint32(at, true);
  }

  /** 64 bit; beyond 2 ** 53 it is not exact, and no length or address of anything. */
  word(at: number): number {
    return this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * 2 ** 32;
  }
}

/** Whether something with pointers in it may stand there. */
export function isPlace(address: number): boolean {
  return address >= LOWEST && address < HIGHEST && address % WORD_BYTES === 0;
}

/** A memory that gives so many bytes and then none. */
export class LimitedMemory {
  private readonly memory: Memory;
  private left: number;

  constructor(memory: Memory, mostBytes: number) {
    this.memory = memory;
    this.left = mostBytes;
  }

  get isUsedUp(): boolean {
    return this.left <= 0;
  }

  read(address: number, length: number): Bytes | null {
    return this.readAll([{ offset: address, length }])[0]!;
  }

  readAll(ranges: readonly Range[]): (Bytes | null)[] {
    const read: (Bytes | null)[] = [];
    for (let at = 0; at < ranges.length; at += RANGES_MOST)
      read.push(...this.batch(ranges.slice(at, at + RANGES_MOST)));
    return read;
  }

  private batch(ranges: readonly Range[]): (Bytes | null)[] {
    this.left -= ranges.reduce((sum, { length }) => sum + length, 0);
    if (this.left < 0) return ranges.map(() => null);
    const all = this.memory.readAll(ranges);
    return all.map((bytes, i) => (bytes === null ? null : new Bytes(ranges[i]!.offset, bytes)));
  }
}
