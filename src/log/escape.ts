// What other programs say, made safe to print. Text from a worker, a request, a file or an error can hold line
// ends, terminal sequences and other characters that would let it pass for a line of ours, or act on a terminal.

// Beside the control characters (the C0 and the C1 set: U+009B starts a terminal sequence as well as ESC does)
// the line separators of Unicode, and the marks that turn the direction of what follows.
const UNSAFE =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const EVERY_UNSAFE = new RegExp(UNSAFE, "g");

/** The text as one line that does nothing to a terminal: what is unsafe becomes `\xNN` or `\uNNNN`; a tab stays. */
export function escapeControls(text: string): string {
  return UNSAFE.test(text) ? text.replace(EVERY_UNSAFE, escaped) : text;
}

/** The same for a text of several lines, whose line ends are ours. */
export function escapeLines(text: string): string {
  return UNSAFE.test(text) ? text.split("\n").map(escapeControls).join("\n") : text;
}

/** JSON of which no character acts on a terminal; a reader of JSON gets the very same value. */
export function jsonText(value: unknown, indent = 0, replacer?: JsonReplacer): string {
  const text = JSON.stringify(value, replacer, indent);
  // JSON escapes the C0 set itself; the line ends left are those of the indentation.
  return text.replace(EVERY_UNSAFE, (c) => (c === "\n" ? c : unicode(c)));
}

type JsonReplacer = (key: string, value: unknown) => unknown;

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code > 0xff ? unicode(character) : `\\x${code.toString(16).padStart(2, "0")}`;
}

function unicode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
