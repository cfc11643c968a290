// Walks a well-formed XML text into a tree that knows where each node stands and keeps text, CDATA and
// entity references apart, which Bun.XML merges. What is well-formed Bun.XML decides beforehand; this
// only takes apart what it accepted, and expands nothing but the five predefined entities.

export interface XmlElement {
  readonly kind: "element";
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Offset in the text. */
  readonly at: number;
  readonly children: XmlNode[];
}

export type XmlNode =
  | XmlElement
  | { readonly kind: "text"; readonly text: string; readonly at: number }
  | { readonly kind: "comment"; readonly text: string; readonly at: number }
  | { readonly kind: "cdata" | "entity" | "instruction" | "doctype"; readonly at: number };

const MARKUP =
  /<!--([\s\S]*?)-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<!DOCTYPE(?:[^"'[>]|"[^"]*"|'[^']*'|\[(?:<!--[\s\S]*?-->|<\?[\s\S]*?\?>|"[^"]*"|'[^']*'|[^\]"'])*\])*>|<\/[^>]*>|<([^\s/>!?]+)((?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>/y;
const TEXT = /(?:[^<&]+|&#[0-9]+;|&#x[0-9A-Fa-f]+;|&(?:amp|lt|gt|quot|apos);)+/y;
const ENTITY = /&[^;]*;/y;

/** The root element; null when there is none, which well-formed text cannot be. */
export function scanXml(text: string): XmlElement | null {
  const top: XmlNode[] = [];
  const open: XmlElement[] = [];
  let at = 0;
  while (at < text.length) {
    const children = open.at(-1)?.children ?? top;
    const found = nodeAt(text, at);
    if (found === null) return null;
    if (found.node !== null) children.push(found.node);
    if (found.opens && found.node?.kind === "element") open.push(found.node);
    if (found.closes) open.pop();
    at += found.length;
  }
  return top.find((node) => node.kind === "element") ?? null;
}

interface Found {
  readonly node: XmlNode | null;
  readonly length: number;
  readonly opens?: boolean;
  readonly closes?: boolean;
}

function nodeAt(text: string, at: number): Found | null {
  const run = match(TEXT, text, at);
  if (run) return { node: { kind: "text", text: decode(run[0]), at }, length: run[0].length };
  const reference = match(ENTITY, text, at);
  if (reference) return { node: { kind: "entity", at }, length: reference[0].length };
  const markup = match(MARKUP, text, at);
  return markup === null ? null : markupNode(markup, at);
}

function markupNode(found: RegExpExecArray, at: number): Found {
  const [all, comment, name, attributes, empty] = found;
  const length = all.length;
  if (name !== undefined) {
    const node: XmlElement = {
      kind: "element",
      name,
      attributes: attributesOf(attributes ?? ""),
      at,
      children: [],
    };
    return { node, length, opens: empty === "" };
  }
  if (comment !== undefined) return { node: { kind: "comment", text: comment, at }, length };
  if (all.startsWith("</")) return { node: null, length, closes: true };
  const kind = all.startsWith("<![") ? "cdata" : all.startsWith("<?") ? "instruction" : "doctype";
  return { node: { kind, at }, length };
}

function attributesOf(text: string): Map<string, string> {
  const pairs = text.matchAll(/([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g);
  return new Map([...pairs].map(([, name, a, b]) => [name!, decode((a ?? b)!)]));
}

const NAMED = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9A-Fa-f]+)|#([0-9]+)|(\w+));/g, (all, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return NAMED.get(name) ?? all;
  });
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
