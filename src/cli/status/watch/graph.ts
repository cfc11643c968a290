// Bars and lines made of characters: of blocks where the terminal shows UTF-8, else of ASCII.

const BLOCKS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
const ASCII = [".", ":", "-", "=", "+", "*", "#", "@"] as const;

export interface Glyphs {
  readonly levels: readonly string[];
  readonly full: string;
  readonly parked: string;
  readonly empty: string;
}

export function glyphsFor(env: Readonly<Record<string, string | undefined>>): Glyphs {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return /utf-?8/i.test(locale)
    ? { levels: BLOCKS, full: "█", parked: "░", empty: "·" }
    : { levels: ASCII, full: "#", parked: "z", empty: "." };
}

/** From 0 to 1, of all workers. */
export interface Shares {
  readonly busy: number;
  readonly parked: number;
}

/** The busy from the left, the parked from the right, who is idle between them; any busy at all fill one column. */
export function bar({ busy, parked }: Shares, columns: number, glyphs: Glyphs): string {
  const filled = columnsFor(busy, columns);
  const stopped = Math.min(columns - filled, columnsFor(parked, columns));
  const { full, empty, parked: rest } = glyphs;
  return full.repeat(filled) + empty.repeat(columns - filled - stopped) + rest.repeat(stopped);
}

function columnsFor(share: number, columns: number): number {
  return Math.min(columns, Math.max(share > 0 ? 1 : 0, Math.round(share * columns)));
}

/** The last values, as many as there are columns; the highest of them is a full column, 0 is a blank. */
export function sparkline(
  values: readonly (number | null)[],
  columns: number,
  { levels }: Glyphs,
): string {
  const shown = values.slice(-columns);
  const most = Math.max(1, ...shown.map((value) => value ?? 0));
  const text = shown.map((value) => {
    if (value === null) return "?";
    return value === 0 ? " " : levels[Math.ceil((value / most) * levels.length) - 1]!;
  });
  return text.join("").padStart(columns);
}
