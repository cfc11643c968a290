// Finds the sections of a legacy file by their paths, as the original did, and says why there is no
// pool when there is none, which the original never did.

import type { LegacyReading } from "./section.ts";
import type { XmlComment, XmlElement } from "./xml.ts";

export interface LegacySections {
  readonly globals: readonly XmlElement[];
  readonly pools: readonly XmlElement[];
}

const GLOBALS = "/configuration/global_options";
const POOL = "/configuration/workers/pool";

export function findSections(reading: LegacyReading, root: XmlElement): LegacySections {
  const globals: XmlElement[] = [];
  const pools: XmlElement[] = [];
  for (const { path, element } of sectionsIn(root, "", false)) {
    if (path === GLOBALS) globals.push(element);
    else if (path === POOL) pools.push(element);
    else ignoredSection(reading, path, element);
  }
  valuesOutsideSections(reading, root);
  checkWorkers(reading, root);
  if (pools.length === 0) noPool(reading, root);
  return { globals, pools };
}

/** In a default namespace an element's path was a star to the original, which then found nothing. */
function* sectionsIn(
  parent: XmlElement,
  above: string,
  inNamespace: boolean,
): Generator<{ path: string; element: XmlElement }> {
  const nameless = hasNamespace(parent, inNamespace);
  const path = `${above}/${nameless ? "*" : parent.name}`;
  for (const child of elements(parent)) {
    const name = child.attributes.get("name");
    if (child.name === "section") yield { path: `${path}/${name ?? ""}`, element: child };
    else if (child.name !== "value") yield* sectionsIn(child, path, nameless);
  }
}

function hasNamespace(element: XmlElement, inherited: boolean): boolean {
  const own = element.attributes.get("xmlns");
  return own === undefined ? inherited : own !== "";
}

function elements(parent: XmlElement): XmlElement[] {
  return parent.children.filter((child) => child.kind === "element");
}

function ignoredSection(reading: LegacyReading, path: string, element: XmlElement): void {
  const name = element.attributes.get("name") ?? "";
  const hint =
    name === "pool"
      ? 'a <section name="pool"> belongs into <workers>, which belongs into <configuration>'
      : 'there are <section name="global_options"> and, in <workers>, <section name="pool">';
  reading.problems.warn(`the section ${path} is ignored`, reading.place(element.at), hint);
}

function valuesOutsideSections(reading: LegacyReading, root: XmlElement): void {
  for (const parent of [root, ...elements(root).filter(({ name }) => name === "workers")]) {
    const first = elements(parent).find(({ name }) => name === "value");
    if (first === undefined) continue;
    reading.problems.warn(
      `values directly in <${parent.name}> are ignored`,
      reading.place(first.at),
      "put them into a <section>",
    );
  }
}

// With two of them the original counted neither, and all pools were gone without a word.
function checkWorkers(reading: LegacyReading, root: XmlElement): void {
  const [, second] = elements(root).filter(({ name }) => name === "workers");
  if (second === undefined) return;
  reading.problems.error(
    "there are two <workers> elements, and php-fpm read neither",
    reading.place(second.at),
    'put every <section name="pool"> into one <workers>',
  );
}

function noPool(reading: LegacyReading, root: XmlElement): void {
  const { message, at, hint } = whyNoPool(root);
  reading.problems.error(message, reading.place(at), hint);
}

function whyNoPool(root: XmlElement): { message: string; at: number; hint: string } {
  const none = 'there is no pool in this file: no <section name="pool"> in <workers>';
  if (root.name !== "configuration") {
    const message = `the root element is <${root.name}>, so nothing in this file counts`;
    return { message, at: root.at, hint: "the root element must be <configuration>" };
  }
  if (root.attributes.has("xmlns")) {
    const message =
      "the default namespace (xmlns) keeps php-fpm from finding anything in this file";
    return { message, at: root.at, hint: "remove the xmlns attribute of <configuration>" };
  }
  const comment = root.children.find(
    (node): node is XmlComment =>
      node.kind === "comment" && /name\s*=\s*["']pool["']/.test(node.text),
  );
  if (comment !== undefined) {
    return { message: none, at: comment.at, hint: "a pool stands in this comment: uncomment it" };
  }
  const hint = elements(root).some(({ name }) => name === "value")
    ? 'the values stand directly in <configuration>: put them into <section name="global_options"> and <workers><section name="pool">'
    : 'write <workers><section name="pool"> … </section></workers> into <configuration>';
  return { message: none, at: root.at, hint };
}
