// The text of an XML file as a tree that knows where each element stands and keeps text, CDATA and
// references to entities apart. The only door to the parser, which judges what is well-formed; what it
// does not look at (entities, depth) is looked at here.

import {
  parseXml,
  XmlCdata,
  XmlComment as ParsedComment,
  XmlElement as ParsedElement,
  XmlError,
  XmlText,
  type ParserOptions,
} from "@rgrove/parse-xml";
import { Fault } from "../../fault.ts";
import { placesIn } from "../place.ts";

export interface XmlElement {
  readonly kind: "element";
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Offset in the text. */
  readonly at: number;
  readonly children: readonly XmlNode[];
}

export interface XmlComment {
  readonly kind: "comment";
  readonly text: string;
  readonly at: number;
}

export type XmlNode =
  | XmlElement
  | XmlComment
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "cdata" | "entity" | "instruction" };

/** The root element. Throws a Fault with the place when the text is not well-formed XML. */
export function readXml(file: string, text: string): XmlElement {
  try {
    return elementOf(parseXml(text, optionsFor(text)).root!, 1);
  } catch (error) {
    const { message, at, hint } = wrongIn(text, error);
    throw new Fault(message, { where: placesIn(file, text)(at), hint });
  }
}

/** What is wrong, where, and what to do about it. */
class Wrong extends Error {
  /** Offset in the text. */
  readonly at: number;
  readonly hint: string;

  constructor(message: string, at: number, hint: string) {
    super(message);
    this.at = at;
    this.hint = hint;
  }
}

/** Stands before a reference to an entity of the file's own; XML itself cannot hold it. */
const MARK = "\0";

/** The parser knows no entities but XML's own, so it asks which others there are. */
function optionsFor(text: string): ParserOptions {
  const isDeclared = declaredIn(text);
  return {
    includeOffsets: true,
    preserveCdata: true,
    preserveComments: true,
    resolveUndefinedEntity: (reference) => (isDeclared(reference) ? MARK + reference : null),
  };
}

const DOCTYPE = /<!DOCTYPE\s([^[>]*)(?:\[([\s\S]*?)\]\s*>)?/;

function declaredIn(text: string): (reference: string) => boolean {
  const [, id = "", inside = ""] = DOCTYPE.exec(text) ?? [];
  // What another file declares is not known, and not asked for.
  if (/\s(SYSTEM|PUBLIC)\s/.test(id)) return (reference) => reference !== "&;";
  const names = new Set([...inside.matchAll(COMMENT_OR_ENTITY)].map(([, name]) => name));
  return (reference) => names.has(reference.slice(1, -1));
}

const COMMENT_OR_ENTITY = /<!--[\s\S]*?(?:-->|$)|<!ENTITY\s+([^\s%"'<>]+)\s/g;

/** Far more than any config, and far less than what the stack would bear. */
const DEEPEST = 100;

function tooDeep(at: number): Wrong {
  return new Wrong(
    `elements stand in one another more than ${DEEPEST} deep`,
    at,
    "close each <value> and each <section> where it ends",
  );
}

function elementOf(
  { name, attributes, start, children }: ParsedElement,
  depth: number,
): XmlElement {
  if (depth > DEEPEST) throw tooDeep(start);
  return {
    kind: "element",
    name,
    attributes: new Map(
      Object.entries(attributes).map(([key, value]) => [key, value.replaceAll(MARK, "")]),
    ),
    at: start,
    children: children.flatMap((child) => nodesOf(child, depth)),
  };
}

function nodesOf(node: ParsedElement["children"][number], depth: number): XmlNode[] {
  if (node instanceof ParsedElement) return [elementOf(node, depth + 1)];
  if (node instanceof XmlCdata) return [{ kind: "cdata" }];
  if (node instanceof XmlText) return textNodes(node.text);
  if (node instanceof ParsedComment)
    return [{ kind: "comment", text: node.content, at: node.start }];
  return [{ kind: "instruction" }];
}

function textNodes(text: string): XmlNode[] {
  if (!text.includes(MARK)) return [{ kind: "text", text }];
  return text
    .split(/(\0&[^;]*;)/)
    .filter((part) => part !== "")
    .map((part) => (part.startsWith(MARK) ? { kind: "entity" } : { kind: "text", text: part }));
}

/** What the error means in this text; throws it when it is no error of the text. */
function wrongIn(text: string, error: unknown): Wrong {
  if (error instanceof Wrong) return error;
  if (error instanceof RangeError) return tooDeep(whereTooDeep(text)); // the parser's stack is full
  if (!(error instanceof XmlError)) throw error;
  const what = error.message.replace(/ \(line \d+, column \d+\)\n[\s\S]*$/, "");
  const at = Math.min(offsetOf(text, error.pos), Math.max(0, text.trimEnd().length - 1));
  if (what === "Invalid character") return noCharacter(text, at);
  // The parser has read on when it says so.
  if (REFERENCE.test(what)) return malformed(what, text.lastIndexOf("&", at), hintFor(what));
  const unclosed = /^Missing end tag for element (.*)$/.exec(what)?.[1];
  if (unclosed === undefined || text.startsWith("</", at))
    return malformed(what, at, hintFor(what));
  const unexpected = /^(?:<|\]\]>)/.exec(text.slice(at, at + 3))?.[0];
  return unexpected === undefined
    ? malformed(what, lastStart(text, unclosed), hintFor(what)) // nothing but text follows
    : malformed(`unexpected \`${unexpected}\``, at, hintFor(""));
}

function malformed(what: string, at: number, hint: string): Wrong {
  return new Wrong(`not well-formed XML: ${what}`, at, hint);
}

/** `at` is the parser's place, which some characters before it shift. */
function noCharacter(text: string, at: number): Wrong {
  const found = NO_CHARACTER.exec(text);
  const code = (found?.[0].codePointAt(0) ?? 0).toString(16).padStart(4, "0").toUpperCase();
  return malformed(`the character U+${code} cannot stand in XML`, found?.index ?? at, "remove it");
}

const NO_CHARACTER = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** Where the elements get too deep, seen by their tags alone. */
function whereTooDeep(text: string): number {
  let depth = 0;
  const tags = /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\/|\/>|<(?![!?])/g;
  for (const { 0: tag, index } of text.matchAll(tags)) {
    if (tag === "<") depth++;
    else if (!tag.startsWith("<!")) depth--;
    if (depth > DEEPEST) return index;
  }
  return 0;
}

/** The parser counts characters, and some of them are two long here. */
function offsetOf(text: string, characters: number): number {
  let at = 0;
  for (let left = characters; left > 0 && at < text.length; left--)
    at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}

function lastStart(text: string, name: string): number {
  return Math.max(0, text.lastIndexOf(`<${name}>`), text.lastIndexOf(`<${name} `));
}

const REFERENCE = /^(Named entity|(Unterminated|Character|Invalid character) reference)/;
const FIRST_LINE = 'the first line is: <?xml version="1.0" encoding="UTF-8"?>';

/** What to do, by the parser's words. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/^(XML version|Invalid .*XML|Invalid character in (version|encoding)|Only "yes")/, FIRST_LINE],
  [/invalid character/i, "remove it"],
  [REFERENCE, "write &amp; for a plain &"],
  [/Root element|Extra content/, "put everything into one <configuration>"],
  [/declaration isn't allowed/, "nothing, not even an empty line, may stand before <?xml"],
  [/`--`/, "a comment cannot hold two dashes in a row"],
  [/end tag/, "each <value> needs its </value>, each <section> its </section>"],
  [/^Unclosed (comment|CDATA)/, "a comment ends with -->, CDATA with ]]>"],
  [/^Unclosed (start|attr)|^(Duplicate )?attribute/i, 'write attributes as name="pool", each once'],
];

function hintFor(what: string): string {
  const found = HINTS.find(([words]) => words.test(what));
  return found?.[1] ?? "write &lt; for a plain <, and &amp; for a plain &";
}
