// The small arithmetic of PHP's INI values: `E_ALL & ~E_NOTICE` is a number there. All operators have
// one precedence and are read from the left, as in PHP's own grammar (Zend/zend_ini_parser.y).

/** The error levels of PHP 8; E_ALL without E_STRICT since 8.4, whose bit nothing sets any more. */
const CONSTANTS = new Map(
  Object.entries({
    E_ALL: 32_767,
    E_ERROR: 1,
    E_WARNING: 2,
    E_PARSE: 4,
    E_NOTICE: 8,
    E_CORE_ERROR: 16,
    E_CORE_WARNING: 32,
    E_COMPILE_ERROR: 64,
    E_COMPILE_WARNING: 128,
    E_USER_ERROR: 256,
    E_USER_WARNING: 512,
    E_USER_NOTICE: 1024,
    E_STRICT: 2048,
    E_RECOVERABLE_ERROR: 4096,
    E_DEPRECATED: 8192,
    E_USER_DEPRECATED: 16_384,
  }),
);

export const OPERATORS = /[|&^~!()]/;

/** The number that a word stands for as text; null when it is no constant known here. */
export function constantText(word: string): string | null {
  return word.startsWith("E_") ? (CONSTANTS.get(word)?.toString() ?? null) : null;
}

/** Nobody writes more, and braces in braces go as deep as the stack. */
const MOST_TOKENS = 200;

interface Cursor {
  readonly tokens: readonly string[];
  at: number;
}

/** The value of an expression as text, or null when it is none. */
export function expressionText(text: string): string | null {
  const tokens: string[] = [];
  for (const [token] of text.matchAll(/[|&^~!()]|[^|&^~!()\s]+/g)) {
    if (tokens.push(token) > MOST_TOKENS) return null;
  }
  const cursor = { tokens, at: 0 };
  const value = expression(cursor);
  return value === null || cursor.at < tokens.length ? null : String(value);
}

function expression(cursor: Cursor): number | null {
  let left = operand(cursor);
  for (let next = cursor.tokens[cursor.at]; left !== null; next = cursor.tokens[cursor.at]) {
    if (next === undefined || !"|&^".includes(next)) return left;
    cursor.at++;
    const right = operand(cursor);
    if (right === null) return null;
    left = next === "|" ? left | right : next === "&" ? left & right : left ^ right;
  }
  return null;
}

function operand(cursor: Cursor): number | null {
  const token = cursor.tokens[cursor.at++];
  if (token === undefined) return null;
  if (token === "~" || token === "!") {
    const value = operand(cursor);
    return value === null ? null : token === "~" ? ~value : Number(value === 0);
  }
  if (token === "(") {
    const inner = expression(cursor);
    return cursor.tokens[cursor.at++] === ")" ? inner : null;
  }
  // PHP takes any other word for 0; that can only be a slip.
  return /^-?\d{1,9}$/.test(token) ? Number(token) : (CONSTANTS.get(token) ?? null);
}
