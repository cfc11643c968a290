// Finds the line and column of every key in a TOML text: smol-toml gives values without places. It
// needs to know how TOML nests, not what is valid, for what smol-toml refuses is asked for no place.
// It also counts the keys beforehand, because smol-toml takes very long for very many.

import { Fault, type Place } from "../../fault.ts";
import { placesIn } from "../place.ts";

/** The place of the key at this path; of the nearest table around it when it is not written. */
export type FindPlace = (path: readonly string[]) => Place;

/** Far more than any config has; `a.b.c` are three. */
const MOST_KEYS = 500_000;
/** As many as there can be pools, or names in a pool's env. */
const MOST_IN_TABLE = 10_000;

/** To say where an error is, smol-toml takes all lines apart. */
const MOST_LINES = 1_000_000;

/** Throws a Fault when there are too many keys or lines. */
export function findPlaces(file: string, text: string): FindPlace {
  const placeAt = placesIn(file, text);
  if (placeAt(text.length).line! > MOST_LINES)
    throw tooMany(`${MOST_LINES} lines`, { file, line: MOST_LINES });
  const walk = new KeyWalk(text);
  walk.document();
  if (walk.excess !== null) throw tooMany(walk.excess, placeAt(walk.at));
  return (path) => {
    let found = walk.root;
    for (const name of path) {
      const inner = found.inner.get(name);
      if (inner === undefined) break;
      found = inner;
    }
    return found === walk.root ? { file } : placeAt(found.at);
  };
}

function tooMany(what: string, where: Place): Fault {
  return new Fault(`there are more than ${what}: this cannot be a config`, {
    where,
    hint: "name another file (for most commands with -c FILE)",
  });
}

/** No setting lies deeper: pools.NAME.listen.address. */
const DEEPEST_KEY = 4;
/** smol-toml's own limit; a walk as deep as the text has brackets would end the stack. */
const DEEPEST_VALUE = 1000;

const [TAB, LINE_END, RETURN, BLANK, QUOTE, HASH, APOSTROPHE] = [9, 10, 13, 32, 34, 35, 39];
const [COMMA, DOT, EQUALS, OPEN, BACKSLASH, CLOSE, BRACE, BRACE_END] = [
  44, 46, 61, 91, 92, 93, 123, 125,
];

/** Where a key stands first, and the keys inside. */
interface Key {
  readonly at: number;
  readonly depth: number;
  inner: Map<string, Key>;
}

/** Most have none, so that one empty map serves them all; it is never written to. */
const NONE = new Map<string, Key>();

class KeyWalk {
  readonly root: Key = { at: 0, depth: 0, inner: new Map() };
  at = 0;
  /** What there is too much of; the walk ended there. */
  excess: string | null = null;
  #keys = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    let table: Key | null = this.root;
    for (this.#skipVoid(); this.#goesOn(); this.#skipVoid()) {
      if (this.#char() === OPEN) table = this.#header();
      else this.#keyAndValue(table, 0);
    }
  }

  #goesOn(): boolean {
    return this.at < this.#text.length && this.excess === null;
  }

  #char(): number {
    return this.#text.charCodeAt(this.at);
  }

  #header(): Key | null {
    while (this.#char() === OPEN) this.at++;
    const path = this.#dottedKey(this.root);
    while (this.#char() === CLOSE) this.at++;
    return path;
  }

  #keyAndValue(table: Key | null, depth: number): void {
    const start = this.at;
    const path = this.#dottedKey(table);
    this.at++; // the equals sign
    this.#skipBlanks();
    this.#value(path, depth);
    if (this.at === start) this.at++; // always forward, even through what should not be here
  }

  #dottedKey(table: Key | null): Key | null {
    let path: Key | null = table;
    for (let first = true; this.#goesOn(); first = false) {
      if (!first) this.at++; // the dot
      this.#skipBlanks();
      path = this.#found(path, this.at, this.#simpleKey());
      this.#skipBlanks();
      if (this.#char() !== DOT) break;
    }
    return path;
  }

  #found(parent: Key | null, at: number, name: string): Key | null {
    if (this.#keys++ === MOST_KEYS) this.excess = `${MOST_KEYS} keys`;
    if (parent === null || parent.depth === DEEPEST_KEY) return null;
    const known = parent.inner.get(name);
    if (known !== undefined) return known;
    const key = { at, depth: parent.depth + 1, inner: NONE };
    if (parent.inner === NONE) parent.inner = new Map();
    if (parent.inner.size === MOST_IN_TABLE) this.excess = `${MOST_IN_TABLE} keys in this table`;
    parent.inner.set(name, key);
    return key;
  }

  #simpleKey(): string {
    const start = this.at;
    const first = this.#char();
    if (first === QUOTE || first === APOSTROPHE) {
      this.#string(first);
      const written = this.#text.slice(start, this.at);
      return first === QUOTE ? unescaped(written) : written.slice(1, -1);
    }
    while (this.at < this.#text.length && isBare(this.#char())) this.at++;
    return this.#text.slice(start, this.at);
  }

  #value(path: Key | null, depth: number): void {
    const first = this.#char();
    if (first === QUOTE || first === APOSTROPHE) this.#string(first);
    else if (first !== OPEN && first !== BRACE)
      while (this.at < this.#text.length && isPlain(this.#char())) this.at++;
    else if (depth === DEEPEST_VALUE) this.at = this.#text.length;
    else if (first === OPEN) this.#array(depth + 1);
    else this.#inlineTable(path, depth + 1);
  }

  /** By search and not by a pattern, which would step through a long text letter by letter. */
  #string(quote: number): void {
    const one = String.fromCharCode(quote);
    const close = this.#text.startsWith(one.repeat(3), this.at) ? one.repeat(3) : one;
    let end = this.#text.indexOf(close, this.at + close.length);
    while (end >= 0 && quote === QUOTE && this.#isEscaped(end))
      end = this.#text.indexOf(close, end + 1);
    this.at = end < 0 ? this.#text.length : end + close.length;
    // Up to two quotes more may stand before the closing three.
    for (let more = 0; close.length === 3 && more < 2 && this.#char() === quote; more++) this.at++;
  }

  #isEscaped(at: number): boolean {
    let start = at;
    while (this.#text.charCodeAt(start - 1) === BACKSLASH) start--;
    return (at - start) % 2 === 1;
  }

  #array(depth: number): void {
    this.at++;
    while (this.#more(CLOSE)) {
      const start = this.at;
      this.#value(null, depth);
      this.#afterItem();
      if (this.at === start) this.at++;
    }
  }

  #inlineTable(path: Key | null, depth: number): void {
    this.at++;
    while (this.#more(BRACE_END)) {
      this.#keyAndValue(path, depth);
      this.#afterItem();
    }
  }

  #more(close: number): boolean {
    this.#skipVoid();
    if (!this.#goesOn()) return false;
    if (this.#char() !== close) return true;
    this.at++;
    return false;
  }

  #afterItem(): void {
    this.#skipVoid();
    if (this.#char() === COMMA) this.at++;
  }

  #skipBlanks(): void {
    while (this.#char() === BLANK || this.#char() === TAB) this.at++;
  }

  /** Blanks, line ends and comments. */
  #skipVoid(): void {
    for (let c = this.#char(); ; c = this.#char()) {
      if (c === BLANK || c === TAB || c === LINE_END || c === RETURN) this.at++;
      else if (c !== HASH) return;
      else {
        const end = this.#text.indexOf("\n", this.at);
        this.at = end < 0 ? this.#text.length : end;
      }
    }
  }
}

function isBare(c: number): boolean {
  return c > BLANK && c !== DOT && c !== EQUALS && c !== CLOSE;
}

function isPlain(c: number): boolean {
  return (
    c !== COMMA && c !== CLOSE && c !== BRACE_END && c !== HASH && c !== RETURN && c !== LINE_END
  );
}

function unescaped(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted.slice(1, -1); // an escape that only TOML has: the table around it is shown
  }
}
