// Bars and lines made of characters: of blocks where the terminal shows UTF-8, else of ASCII.

const BLOCKS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
const ASCII = [".", ":", "-", "=", "+", "*", "#", "@"] as const;

export interface Glyphs {
  readonly levels: readonly string[];
  readonly full: string;
  readonly empty: string;
}

export function glyphsFor(env: Readonly<Record<string, string | undefined>>): Glyphs {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return /utf-?8/i.test(locale)
    ? { levels: BLOCKS, full: "█", empty: "·" }
    : { levels: ASCII, full: "#", empty: "." };
}

/** `share` of `columns` filled, the share being from 0 to 1; anything at all fills one. */
export function bar(share: number, columns: number, { full, empty }: Glyphs): string {
  const filled = Math.min(columns, Math.max(share > 0 ? 1 : 0, Math.round(share * columns)));
  return full.repeat(filled) + empty.repeat(columns - filled);
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
