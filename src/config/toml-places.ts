// Finds the line and column of every key in a TOML text: smol-toml gives values without places. It
// only walks text that smol-toml has accepted, so it needs to know how TOML nests, not what is valid.

import type { Place } from "../fault.ts";
import { placesIn } from "./place.ts";

/** The place of the key at this path; of the nearest table around it when it is not written. */
export type FindPlace = (path: readonly string[]) => Place;

export function findPlaces(file: string, text: string): FindPlace {
  const offsets = new Map<string, number>();
  walkDocument({ text, at: 0 }, (path, at) => {
    if (path.length > DEEPEST) return;
    const key = path.join("\0");
    if (!offsets.has(key)) offsets.set(key, at);
  });
  const placeAt = placesIn(file, text);
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const at = offsets.get(path.slice(0, length).join("\0"));
      if (at !== undefined) return placeAt(at);
    }
    return { file };
  };
}

/** No setting lies deeper, and long paths in great number would cost much. */
const DEEPEST = 8;

interface Cursor {
  readonly text: string;
  at: number;
}
type Found = (path: readonly string[], at: number) => void;

function walkDocument(cursor: Cursor, found: Found): void {
  let table: string[] = [];
  for (skipBlanks(cursor); cursor.at < cursor.text.length; skipBlanks(cursor)) {
    if (peek(cursor) === "[") table = header(cursor, found);
    else keyAndValue(cursor, table, found);
  }
}

function header(cursor: Cursor, found: Found): string[] {
  while (peek(cursor) === "[") cursor.at++;
  const path = dottedKey(cursor, [], found);
  while (peek(cursor) === "]") cursor.at++;
  return path;
}

function keyAndValue(cursor: Cursor, table: readonly string[], found: Found): void {
  const start = cursor.at;
  const path = dottedKey(cursor, table, found);
  cursor.at++; // the equals sign
  take(cursor, /[ \t]*/y);
  value(cursor, path, found);
  if (cursor.at === start) cursor.at++; // always forward, even through what should not be here
}

function dottedKey(cursor: Cursor, table: readonly string[], found: Found): string[] {
  const path = [...table];
  do {
    take(cursor, /[.]?[ \t]*/y);
    const at = cursor.at;
    path.push(simpleKey(cursor));
    found(path, at);
    take(cursor, /[ \t]*/y);
  } while (peek(cursor) === ".");
  return path;
}

function simpleKey(cursor: Cursor): string {
  const quoted = take(cursor, /"(?:[^"\\\n]|\\.)*"/y);
  if (quoted !== "") return unescape(quoted);
  const literal = take(cursor, /'[^'\n]*'/y);
  return literal === "" ? take(cursor, /[^\s.=\]]+/y) : literal.slice(1, -1);
}

function unescape(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted.slice(1, -1); // an escape that only TOML has: the table around it is shown
  }
}

function value(cursor: Cursor, path: readonly string[], found: Found): void {
  const first = peek(cursor);
  if (first === "[") return array(cursor, path, found);
  if (first === "{") return inlineTable(cursor, path, found);
  if (first === '"' || first === "'") return string(cursor, first);
  take(cursor, /[^,\]}#\r\n]*/y);
}

/** By search and not by a pattern, which would step through a long text letter by letter. */
function string(cursor: Cursor, quote: string): void {
  const { text } = cursor;
  const close = text.startsWith(quote.repeat(3), cursor.at) ? quote.repeat(3) : quote;
  let end = text.indexOf(close, cursor.at + close.length);
  while (end >= 0 && quote === '"' && isEscaped(text, end)) end = text.indexOf(close, end + 1);
  cursor.at = end < 0 ? text.length : end + close.length;
  // Up to two quotes more may stand before the closing three.
  if (close.length === 3) take(cursor, /["']{0,2}/y);
}

function isEscaped(text: string, at: number): boolean {
  let start = at;
  while (text[start - 1] === "\\") start--;
  return (at - start) % 2 === 1;
}

function array(cursor: Cursor, path: readonly string[], found: Found): void {
  cursor.at++;
  for (let index = 0; more(cursor, "]"); index++) {
    found([...path, String(index)], cursor.at);
    value(cursor, [...path, String(index)], found);
    afterItem(cursor);
  }
}

function inlineTable(cursor: Cursor, path: readonly string[], found: Found): void {
  cursor.at++;
  while (more(cursor, "}")) {
    keyAndValue(cursor, path, found);
    afterItem(cursor);
  }
}

function more(cursor: Cursor, close: string): boolean {
  skipBlanks(cursor);
  if (cursor.at >= cursor.text.length) return false;
  if (peek(cursor) !== close) return true;
  cursor.at++;
  return false;
}

function afterItem(cursor: Cursor): void {
  skipBlanks(cursor);
  if (peek(cursor) === ",") cursor.at++;
}

function skipBlanks(cursor: Cursor): void {
  take(cursor, /(?:\s+|#[^\n]*)*/y);
}

function peek(cursor: Cursor): string | undefined {
  return cursor.text[cursor.at];
}

function take(cursor: Cursor, pattern: RegExp): string {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text)?.[0] ?? "";
  cursor.at += found.length;
  return found;
}
