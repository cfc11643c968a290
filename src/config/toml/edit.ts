// Changes the number of a pool's workers in a TOML text, and nothing else of it: comments, layout and line
// ends stay as somebody wrote them. Pure. What cannot be changed with certainty is left alone.

const WORKERS = /^([ \t]*workers[ \t]*=[ \t]*)([^#]*?)([ \t]*(?:#.*)?\r?)$/;
const TABLE = /^[ \t]*\[[ \t]*pools[ \t]*\./;
const ANY_TABLE = /^[ \t]*\[/;

/**
 * The text with that number in the table that begins in line `table` (from 1); null where no `[pools.NAME]`
 * stands there.
 */
export function withWorkers(text: string, table: number, workers: number): string | null {
  const lines = text.split("\n");
  const header = lines[table - 1];
  if (header === undefined || !TABLE.test(header)) return null;
  const next = lines.findIndex((line, i) => i >= table && ANY_TABLE.test(line));
  const end = next < 0 ? lines.length : next;
  const at = lines.findIndex((line, i) => i >= table && i < end && WORKERS.test(line));
  if (at >= 0) lines[at] = lines[at]!.replace(WORKERS, `$1${workers}$3`);
  else lines.splice(table, 0, `workers = ${workers}${header.endsWith("\r") ? "\r" : ""}`);
  return lines.join("\n");
}
