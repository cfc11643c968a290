// The rows of the bench as one Markdown table, and its place in the manual. Pure, so that it can be
// tested without measuring anything.

export interface Row {
  readonly what: string;
  readonly program: string;
  readonly sent: number;
  readonly lost: number;
  /** Milliseconds; null = there is nothing to say. */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly gap: number | null;
  /** Its requests a second as a share of php-fpm's, where as many as possible were sent in turns. */
  readonly paired: number | null;
  readonly came: string;
}

/** The program that the others are compared with. */
export interface Base {
  /** Its names, the first that has a row for the case counts. */
  readonly names: readonly string[];
}

const HEAD = [
  "case",
  "program",
  "sent",
  "lost",
  "p50 ms",
  "p99 ms",
  "max ms",
  "longest gap ms",
  "to php-fpm",
  "what came of it",
] as const;

/** How many columns from the left are text; what follows up to the last one is numbers. */
const TEXTS = 2;

export function table(rows: readonly Row[], base: Base): string {
  const cells = rows.map((row, i) => [
    rows[i - 1]?.what === row.what ? "" : row.what,
    row.program,
    count(row.sent),
    row.lost === 0 ? "0" : `**${count(row.lost)}**`,
    ...[row.p50, row.p99, row.max, row.gap].map(time),
    ratioText(row, baseOf(rows, row.what, base)),
    row.came,
  ]);
  return markdown(HEAD, cells, (column) => column >= TEXTS && column < HEAD.length - 1);
}

/** A Markdown table, its columns padded. */
export function markdown(
  head: readonly string[],
  cells: readonly (readonly string[])[],
  isNumber: (column: number) => boolean,
): string {
  const safe = cells.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, i) => Math.max(3, ...[head, ...safe].map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (isNumber(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(" | ")} |`;
  const rule = widths.map((width, i) =>
    isNumber(i) ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
  );
  return [line(head), line(rule), ...safe.map(line)].join("\n");
}

function baseOf(rows: readonly Row[], what: string, { names }: Base): Row | null {
  const same = rows.filter((row) => row.what === what);
  for (const name of names) {
    const found = same.find(({ program }) => program === name);
    if (found) return found;
  }
  return null;
}

/** More than this share of requests lost, and the times of the rest say nothing. */
const LOST_MOST = 0.01;

/**
 * How a row compares with that of php-fpm: by requests a second where those were measured, else by the
 * 99th percentile; null where either lost too much for the numbers to mean anything.
 */
export function ratio(row: Row, base: Row | null): number | null {
  if (base === null) return null;
  if (row.paired !== null) return row.paired;
  if ([row, base].some(({ sent, lost }) => lost > sent * LOST_MOST)) return null;
  return row.p99 === null || base.p99 === null ? null : row.p99 / base.p99;
}

function ratioText(row: Row, base: Row | null): string {
  const value = row === base ? null : ratio(row, base);
  if (row === base) return "1";
  return value === null ? "-" : shareText(value);
}

/** `1.06`, `0.25`, `1/430`: small shares read better as fractions. */
export function shareText(value: number): string {
  return value >= 0.1 || value <= 0 ? value.toFixed(2) : `1/${count(Math.floor(1 / value))}`;
}

export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** Two figures that mean something: `0.4`, `8.9`, `1,050`. */
export function time(value: number | null): string {
  if (value === null) return "-";
  return value < 100 ? value.toFixed(1) : count(value);
}

export const BEGIN = "<!-- bench:begin -->";
export const END = "<!-- bench:end -->";

/** The text with what stands between the two marks replaced. Throws when it has no such place. */
export function withBlock(text: string, block: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`there is no ${BEGIN} … ${END} to write to`);
  return `${text.slice(0, begin + BEGIN.length)}\n${block.trim()}\n${text.slice(end)}`;
}
