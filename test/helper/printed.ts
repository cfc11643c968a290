// Listens to what commands print (src/cli/print.ts) when a test runs them inside its own process.

import { spyOn } from "bun:test";
import fs from "node:fs";

/** Hands on what is written to stdout and stderr instead of writing it, until `mockRestore`. */
export function listen(heard: { out(text: string): void; err(text: string): void }) {
  const real = fs.writeSync;
  const write = (fd: number, data: string | NodeJS.ArrayBufferView) => {
    if ((fd !== 1 && fd !== 2) || typeof data === "string") return real(fd, data as string);
    (fd === 1 ? heard.out : heard.err)(new TextDecoder().decode(data));
    return data.byteLength;
  };
  return spyOn(fs, "writeSync").mockImplementation(write as typeof fs.writeSync);
}
