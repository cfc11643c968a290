// Listens to what commands print (src/cli/print.ts) when a test runs them inside its own process.

import { toArrayBuffer, type Pointer } from "bun:ffi";
import { spyOn } from "bun:test";
import { libc } from "../../src/sys/libc.ts";

/** Hands on what is written to stdout and stderr instead of writing it, until `mockRestore`. */
export function listen(heard: { out(text: string): void; err(text: string): void }) {
  const real = libc.write;
  const write = (fd: number, data: Pointer, length: number) => {
    if (fd !== 1 && fd !== 2) return real(fd, data, length);
    (fd === 1 ? heard.out : heard.err)(new TextDecoder().decode(toArrayBuffer(data, 0, length)));
    return BigInt(length);
  };
  return spyOn(libc, "write").mockImplementation(write as typeof libc.write);
}
