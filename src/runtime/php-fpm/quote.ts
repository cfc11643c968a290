// A value in a file that php-fpm reads: it must come out as it is, and never end its line or become another
// directive. Between single quotes PHP changes nothing (in double quotes `${NAME}` is replaced, and what a
// backslash does depends on what follows), and pieces that stand together are one value. Pure.

/** Whether it can stand in the file at all: php-fpm reads line by line, whatever quotes are open. */
export function isWritable(value: string): boolean {
  return !/[\n\r\0]/.test(value);
}

/** The value of one line. */
export function quoted(value: string): string {
  const pieces = value.match(/[^']+|'+/g) ?? [];
  // Between single quotes php-fpm takes nothing for no value at all.
  if (pieces.length === 0) return '""';
  return pieces.map((piece) => (piece.startsWith("'") ? `"${piece}"` : `'${piece}'`)).join("");
}
