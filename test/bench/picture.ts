// The README's picture, made from the table of figures that the manual has: the p99 of all other requests
// while a reload goes on with a long request in flight. Pure but for `bun test/bench/picture.ts`, which
// writes it; bench-table.test.ts says when that is due.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const FIGURES = join(import.meta.dir, "../../src/help/figures.md");
export const PICTURE = join(import.meta.dir, "../../src/help/reload.svg");

const CASE = "reload, a 5 s request in flight";

export interface Bar {
  readonly program: string;
  readonly p99Ms: number;
  readonly lost: number;
}

/** The rows of the case in the Markdown table. Throws when there are none. */
export function barsOf(figures: string): Bar[] {
  const rows = figures
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").map((cell) => cell.replaceAll("*", "").trim()));
  const first = rows.findIndex(([, name]) => name === CASE);
  const after = rows.findIndex(([, name], i) => i > first && name !== "");
  if (first < 0) throw new Error(`there is no row for "${CASE}"`);
  return rows.slice(first, after).map((cells) => ({
    program: cells[2]!,
    lost: numberIn(cells[4]!),
    p99Ms: numberIn(cells[6]!),
  }));
}

function numberIn(cell: string): number {
  return Number(cell.replaceAll(",", ""));
}

const WIDTH = 760;
const LEFT = 230;
const RIGHT = 190;
const ROW = 34;
const TOP = 64;

/** Bars on a logarithmic scale: the programs are apart by a factor of a thousand. */
export function picture(bars: readonly Bar[]): string {
  const height = TOP + bars.length * ROW + 16;
  const most = Math.max(...bars.map(({ p99Ms }) => p99Ms));
  const scale = (ms: number) =>
    Math.max(2, (Math.log10(Math.max(ms, 1)) / Math.log10(most)) * (WIDTH - LEFT - RIGHT));
  const rows = bars.map((bar, i) => rowOf(bar, TOP + i * ROW, scale(bar.p99Ms)));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>p99 of all other requests while a reload goes on with a 5 s request in flight</title>
<style>
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 12px; fill: #59636e }
.lost { fill: #b3261e }
rect { fill: #8c959f }
rect.own { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .lost { fill: #ff8982 }
  rect { fill: #656c76 }
  rect.own { fill: #3fb950 }
}
</style>
<text x="8" y="24">A reload while a request of 5 s is in flight: p99 of all other requests</text>
<text x="8" y="44" class="small">200 requests a second, 4 workers, logarithmic scale; shorter is better</text>
${rows.join("\n")}
</svg>
`;
}

function rowOf({ program, p99Ms, lost }: Bar, y: number, width: number): string {
  const own = program === "fcgivisor" ? ' class="own"' : "";
  const x = LEFT + width + 8;
  const time = `${p99Ms.toLocaleString("en")} ms`;
  const losses = lost === 0 ? "none lost" : `${lost} lost`;
  const style = lost === 0 ? "small" : "small lost";
  return `<text x="${LEFT - 8}" y="${y + 16}" text-anchor="end">${program}</text>
<rect${own} x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="22" rx="3"/>
<text x="${x.toFixed(1)}" y="${y + 16}">${time} <tspan class="${style}">${losses}</tspan></text>`;
}

if (import.meta.main) writeFileSync(PICTURE, picture(barsOf(readFileSync(FIGURES, "utf8"))));
