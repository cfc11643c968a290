// The bytes of a scoreboard: only those that are one give a number.

import { expect, test } from "bun:test";
import { countIn } from "../../src/observe/fpm-scoreboard.ts";

function scoreboard(pool: string, requests: bigint): Uint8Array {
  const bytes = Buffer.alloc(120);
  bytes.write(pool, 16, "latin1");
  bytes.writeBigUInt64LE(requests, 80);
  return bytes;
}

test("the count of the pool, and of no other", () => {
  expect(countIn(scoreboard("www", 5n), "www")).toBe(5);
  expect(countIn(scoreboard("wwww", 5n), "www")).toBeNull();
  expect(countIn(scoreboard("", 5n), "www")).toBeNull();
  const long = "a-pool-with-a-name-that-is-longer-than-there-is-room";
  expect(countIn(scoreboard(long.slice(0, 31), 7n), long)).toBe(7);
});

test("noise is no count", () => {
  expect(countIn(scoreboard("www", 2n ** 64n - 1n), "www")).toBeNull();
  expect(countIn(new Uint8Array(40), "www")).toBeNull();
  for (let seed = 0; seed < 200; seed++) {
    const noise = Uint8Array.from({ length: 136 }, (_, i) => (i * 31 + seed * 17 + (i >> 2)) & 255);
    expect(countIn(noise, "www")).toBeNull();
  }
});
