// Says where an XML text stops being well-formed. Bun.XML says what is wrong but not where: the place
// is found by giving it ever better chosen beginnings of the text, until the shortest that fails in
// the same words is known.

import { Fault } from "../../fault.ts";
import { placesIn } from "../place.ts";
import { scanXml, type XmlElement } from "./xml-scan.ts";

type Judge = (source: string) => void;

/** The root element. Throws a Fault with the place when the text is not well-formed. */
export function wellFormed(file: string, text: string, judge: Judge): XmlElement {
  const said = complaint(text, judge);
  const root = said === null ? scanXml(text) : null;
  if (root !== null) return root;
  const what = said ?? "it cannot be taken apart";
  throw new Fault(`not well-formed XML: ${what}`, {
    where: placesIn(file, text)(whereItFails(text, what, judge)),
    hint: hintFor(what),
  });
}

function complaint(text: string, judge: Judge): string | null {
  try {
    judge(text);
    return null;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return message.replace(/^XML Parse error: /, "");
  }
}

function whereItFails(text: string, what: string, judge: Judge): number {
  const unclosed = /^Missing closing tag for element '(.*)'$/.exec(what)?.[1];
  if (unclosed !== undefined) return Math.max(0, lastStart(text, unclosed));
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (complaint(text.slice(0, middle), judge) === what) high = middle;
    else low = middle + 1;
  }
  return Math.max(0, low - 1);
}

function lastStart(text: string, name: string): number {
  return Math.max(text.lastIndexOf(`<${name}>`), text.lastIndexOf(`<${name} `));
}

function hintFor(what: string): string {
  if (/entity|'&'/i.test(what)) return "write &amp; for a plain &";
  if (/one root element/.test(what)) return "put everything into one <configuration>";
  if (/declaration/.test(what)) return "nothing, not even an empty line, may stand before <?xml";
  if (/'--'/.test(what)) return "a comment cannot hold two dashes in a row";
  if (/closing tag/.test(what))
    return "each <value> needs its </value>, each <section> its </section>";
  return "write &lt; for a plain <, and &amp; for a plain &";
}
