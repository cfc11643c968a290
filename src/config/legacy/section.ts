// Reads the `<value>` elements of one section, by the rules of the original parser (legacy FACTS 1.1):
// text between them is comment, an empty one is absent, a scalar is its first text node only, the last
// of two counts, a repeated group replaces the first as a whole.

import { isGroup, knownIn, LEGACY_NAMES } from "./names.ts";
import { nearest } from "../nearest.ts";
import type { PoolReport } from "../php-fpm/pool-rules.ts";
import type { Where } from "../problems.ts";
import type { XmlElement } from "./xml.ts";

/** One value that has a text. */
export interface LegacyValue {
  /** "pool/pm/max_children"; for pairs the path of their table. */
  readonly path: string;
  readonly text: string;
  /** The entries of `environment` or `php_defines`; null for a scalar. */
  readonly pairs: ReadonlyMap<string, string> | null;
  readonly where: Where;
  replaced: boolean;
}

export interface LegacyReading extends PoolReport {
  place(at: number): Where;
}

export function legacyValues(
  reading: LegacyReading,
  section: XmlElement,
  path: string,
): LegacyValue[] {
  const values: LegacyValue[] = [];
  const inForce = new Map<string, readonly LegacyValue[]>();
  const add = (name: string, found: readonly LegacyValue[]): void => {
    for (const earlier of inForce.get(name) ?? []) earlier.replaced = true;
    inForce.set(name, found);
    for (const value of found) values.push(value);
  };
  for (const { name, element } of namedValues(reading, section)) {
    if (element.children.length === 0) continue;
    const own = `${path}/${name}`;
    if (isGroup(own)) add(name, legacyValues(reading, element, own));
    else if (LEGACY_NAMES.has(own)) {
      const value = known(reading, element, own);
      if (value !== null) add(name, [value]);
    } else unknown(reading, element, path, name);
  }
  return values;
}

/** The elements inside that are `<value name="…">`; the others are named, for the original ignored them. */
function* namedValues(reading: LegacyReading, parent: XmlElement) {
  for (const element of parent.children) {
    if (element.kind !== "element") continue;
    const name = element.attributes.get("name");
    if (element.name === "value" && name !== undefined) yield { name, element };
    else {
      const what =
        element.name === "value" ? "this <value> has no name" : `<${element.name}> is no <value>`;
      const hint = 'a setting is written as <value name="NAME">text</value>';
      reading.problems.warn(`${what}: it is ignored`, reading.place(element.at), hint);
    }
  }
}

function known(reading: LegacyReading, element: XmlElement, path: string): LegacyValue | null {
  const where = reading.place(element.at);
  if (LEGACY_NAMES.get(path)?.form === "pairs") {
    return { path, text: "", pairs: pairsIn(reading, element), where, replaced: false };
  }
  const text = firstText(reading, element, path);
  return text === null ? null : { path, text, pairs: null, where, replaced: false };
}

function pairsIn(reading: LegacyReading, parent: XmlElement): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const { name, element } of namedValues(reading, parent)) {
    if (element.children.length === 0) {
      const what = `${name} is empty, and left out: an empty value counts as none`;
      reading.problems.warn(what, reading.place(element.at), "TOML can hold an empty value");
      continue;
    }
    const text = firstText(reading, element, name);
    if (text !== null) pairs.set(name, text);
  }
  return pairs;
}

const INSTEAD = {
  comment: "a comment",
  cdata: "CDATA",
  entity: "an entity of the file's own",
  element: "an element",
  instruction: "a processing instruction",
} as const;

function firstText(reading: LegacyReading, element: XmlElement, path: string): string | null {
  const [first, ...rest] = element.children;
  if (first === undefined) return null;
  const label = path.split("/").slice(1).join("/") || path;
  if (first.kind !== "text") {
    const what = `${label}: expected text, but ${INSTEAD[first.kind]} stands first`;
    reading.problems.error(what, reading.place(element.at), hintFor(first.kind));
    return null;
  }
  if (rest.length > 0) {
    const what = `${label}: only "${first.text}" counts, the text before ${INSTEAD[rest[0]!.kind as keyof typeof INSTEAD]}`;
    reading.problems.warn(what, reading.place(element.at), "let the value hold nothing but text");
  }
  return first.text;
}

function hintFor(kind: keyof typeof INSTEAD): string {
  if (kind === "cdata") return "write the text as it is, with &amp; for & and &lt; for <";
  if (kind === "comment") return "move the comment out of the value";
  if (kind === "entity") return "write out what the entity stands for";
  return "let the value hold nothing but text";
}

function unknown(reading: LegacyReading, element: XmlElement, path: string, name: string): void {
  const what = `unknown setting "${name}" in ${path}: it is ignored, as it always was`;
  reading.problems.warn(what, reading.place(element.at), () => nearestIn(path, name));
}

function nearestIn(path: string, name: string): string {
  const names = knownIn(path);
  const near = nearest(name, names);
  return near === null ? `known here: ${names.join(", ")}` : `did you mean "${near}"?`;
}
