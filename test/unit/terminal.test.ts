// A terminal is told from what merely is a device, and without a stream that would be opened for it.

import { expect, test } from "bun:test";
import { closeSync, constants, openSync } from "node:fs";
import { isTerminal } from "../../src/sys/terminal.ts";

/** Whether the file of this name, opened, is one. */
function opened(path: string): boolean {
  const fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  try {
    return isTerminal(fd);
  } finally {
    closeSync(fd);
  }
}

test("a terminal is one, the null device and what is closed are none", () => {
  expect(opened("/dev/ptmx")).toBe(true);
  expect(opened("/dev/null")).toBe(false);
  expect(isTerminal(-1)).toBe(false);
});
