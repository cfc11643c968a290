// From an offset in a text to the place that a Fault shows.

import type { Place } from "../fault.ts";

export type PlaceAt = (offset: number) => Place;

/** A longer line would hide the message it is to explain. */
export const LONGEST_SHOWN = 300;

/** Finds the line ends once, so that many places in a long file cost little. */
export function placesIn(file: string, text: string): PlaceAt {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    const index = lastNotAfter(starts, offset);
    const start = starts[index]!;
    const end = starts[index + 1] === undefined ? text.length : starts[index + 1]! - 1;
    const shown = text.slice(start, end).replace(/\r$/, "");
    const place = { file, line: index + 1, column: offset - start + 1 };
    return shown.length > LONGEST_SHOWN ? place : { ...place, text: shown };
  };
}

function lastNotAfter(sorted: readonly number[], wanted: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle]! <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}
