// What others say is shown as escapes, in text and in JSON, and JSON stays the same value.

import { expect, test } from "bun:test";
import { escapeControls, escapeLines, jsonText } from "../../src/log/escape.ts";

const UNSAFE = "\u0000\x07\x1b\r\x7f\u009b\u061c\u200e\u2028\u202e\u2066";

test("control characters and marks that turn text round are shown, all others stay", () => {
  expect(escapeControls(UNSAFE)).toBe(
    "\\x00\\x07\\x1b\\x0d\\x7f\\x9b\\u061c\\u200e\\u2028\\u202e\\u2066",
  );
  expect(escapeControls("a\tb\nc")).toBe("a\tb\\x0ac");
  expect(escapeLines("a\tb\nc\x1b")).toBe("a\tb\nc\\x1b");
  const harmless = "ä 漢字 🙂 ' \" \\ \u00a0";
  expect(escapeControls(harmless)).toBe(harmless);
});

test("JSON holds none of them, and means the same", () => {
  const value = { [UNSAFE]: [UNSAFE, "a\nb", 1, null] };
  for (const indent of [0, 2]) {
    const text = jsonText(value, indent);
    expect(text).toMatch(/^[\n -~]*$/);
    expect(JSON.parse(text)).toEqual(value);
  }
});
