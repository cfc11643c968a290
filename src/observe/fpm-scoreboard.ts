// How many requests the workers of a php-fpm master have begun, by its own count. It keeps that in memory which it shares
// with its workers (sapi/fpm/fpm/fpm_scoreboard.h), so it is read without asking anybody. The workers can write there:
// what is found is a number for people, nothing is decided by it.

import { sharedMappings, withMemory } from "../sys/proc/memory.ts";

/** Reads the count again and again, out of any process that has that memory. */
export interface RequestCounter {
  /** null: it cannot be seen, or what is there is no such record. */
  readonly read: (pid: number) => number | null;
}

/** Where a scoreboard has what, in bytes; the same in PHP 7.0 to 8.4 on 64 bit. */
const NAME = { at: 16, bytes: 32 } as const;
const REQUESTS_AT = 80;
const RECORD_BYTES = 120;

export class FpmRequestCounter implements RequestCounter {
  private readonly pool: string;
  /** Of the scoreboard: the same in the master and all that it forks; null = not found yet. */
  private address: number | null = null;

  constructor(pool: string) {
    this.pool = pool;
  }

  read(pid: number): number | null {
    const known = this.address === null ? null : this.countAt(pid, this.address);
    if (known !== null) return known;
    for (const address of sharedMappings(pid)) {
      const count = this.countAt(pid, address);
      if (count === null) continue;
      this.address = address;
      return count;
    }
    return null;
  }

  private countAt(pid: number, address: number): number | null {
    const bytes = withMemory(pid, (memory) => memory.read(address, RECORD_BYTES));
    return bytes === null ? null : countIn(bytes, this.pool);
  }
}

/** The count of a scoreboard, if these bytes are that of the pool. */
export function countIn(bytes: Uint8Array, pool: string): number | null {
  if (bytes.length < RECORD_BYTES) return null;
  const name = Buffer.from(bytes.subarray(NAME.at, NAME.at + NAME.bytes)).toString("latin1");
  // A longer one is cut there, and a zero ends it.
  if (name.replace(/\0+$/, "") !== pool.slice(0, NAME.bytes - 1)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Number(view.getBigUint64(REQUESTS_AT, true));
  return Number.isSafeInteger(count) ? count : null;
}
