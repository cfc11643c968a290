// What other programs say, made safe to print. Text from a worker, a file or an error can hold line
// ends, terminal sequences and other characters that would let it pass for a log line of its own.

const UNSAFE = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/;
const EVERY_UNSAFE = new RegExp(UNSAFE, "g");

/**
 * The text as one line that does nothing to a terminal: control characters other than tab become
 * `\xNN` (both the C0 and the C1 set: U+009B starts a terminal sequence as well as ESC does), the
 * Unicode line separators `\u2028` and `\u2029`.
 */
export function escapeControls(text: string): string {
  return UNSAFE.test(text) ? text.replace(EVERY_UNSAFE, escaped) : text;
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  const hex = code.toString(16);
  return code > 0xff ? `\\u${hex.padStart(4, "0")}` : `\\x${hex.padStart(2, "0")}`;
}
