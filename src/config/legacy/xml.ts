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
import { xmlProblem, type XmlProblem } from "./xml-problem.ts";

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

/** What the error says of this text; throws it when it is no error of the text. */
function wrongIn(text: string, error: unknown): XmlProblem {
  if (error instanceof TooDeep) return tooDeep(error.at);
  if (error instanceof RangeError) return tooDeep(whereTooDeep(text)); // the parser's stack is full
  if (!(error instanceof XmlError)) throw error;
  return xmlProblem(text, error.message, error.pos);
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

/** An element at this offset stands in too many others. */
class TooDeep extends Error {
  readonly at: number;

  constructor(at: number) {
    super();
    this.at = at;
  }
}

function tooDeep(at: number): XmlProblem {
  return {
    message: `elements stand in one another more than ${DEEPEST} deep`,
    at,
    hint: "close each <value> and each <section> where it ends",
  };
}

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

function elementOf(
  { name, attributes, start, children }: ParsedElement,
  depth: number,
): XmlElement {
  if (depth > DEEPEST) throw new TooDeep(start);
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
