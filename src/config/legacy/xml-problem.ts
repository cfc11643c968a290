// What the XML parser complains of, for a person: in its words, at the beginning of what is wrong, and
// with what to do about it.

export interface XmlProblem {
  readonly message: string;
  /** Offset in the text. */
  readonly at: number;
  readonly hint: string;
}

/** `said` and `pos` are the parser's; it counts characters, not offsets. */
export function xmlProblem(text: string, said: string, pos: number): XmlProblem {
  const what = said.replace(/ \(line \d+, column \d+\)\n[\s\S]*$/, "");
  const at = Math.min(offsetOf(text, pos), Math.max(0, text.trimEnd().length - 1));
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

function malformed(what: string, at: number, hint: string): XmlProblem {
  return { message: `not well-formed XML: ${what}`, at, hint };
}

/** `at` is the parser's place, which some characters before it shift. */
function noCharacter(text: string, at: number): XmlProblem {
  const found = NO_CHARACTER.exec(text);
  const code = (found?.[0].codePointAt(0) ?? 0).toString(16).padStart(4, "0").toUpperCase();
  return malformed(`the character U+${code} cannot stand in XML`, found?.index ?? at, "remove it");
}

const NO_CHARACTER = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** Some characters are two long. */
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
