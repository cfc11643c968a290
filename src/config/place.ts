// From an offset in a text to the place that a Fault shows.

import type { Place } from "../fault.ts";

/** The place of an offset in a text. */
export function placeAt(file: string, text: string, at: number): Place {
  const start = text.lastIndexOf("\n", at - 1) + 1;
  const end = text.indexOf("\n", at);
  const line = text.slice(0, at).split("\n").length;
  const shown = text.slice(start, end < 0 ? undefined : end).replace(/\r$/, "");
  return { file, line, column: at - start + 1, text: shown };
}
