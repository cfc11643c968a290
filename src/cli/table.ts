// A table for people. A cell may come from a request and then hold anything: each is made safe here, and what does not
// fit the width is cut, the columns that may be cut first.

import { escapeControls } from "../log/escape.ts";
import { type Paint, plain, type Tone } from "./paint.ts";

export type Cell = string | { readonly text: string; readonly tone: Tone };

export interface TableOptions {
  /** Columns of the terminal; null = as wide as it gets. */
  readonly width?: number | null;
  /** Numbers of the columns that may be cut, the first one first; no further than to a few characters. */
  readonly cut?: readonly number[];
  readonly paint?: Paint;
}

const GAP = "  ";
/** A column that is cut keeps so many characters. */
const LEAST = 8;

/** The first row is the head. */
export function table(rows: readonly (readonly Cell[])[], options: TableOptions = {}): string[] {
  const { width = null, cut = [], paint = plain } = options;
  const cells = rows.map((row) => row.map((cell) => escapeControls(textOf(cell))));
  const widths = fitted(
    cells[0]!.map((_, i) => Math.max(...cells.map((row) => Bun.stringWidth(row[i]!)))),
    width,
    cut,
  );
  return rows.map((row, r) => {
    const last = row.length - 1;
    const line = row.map((cell, i) => {
      const text = cutTo(cells[r]![i]!, widths[i]!);
      const padded = i === last ? text : pad(text, widths[i]!);
      if (r === 0) return paint("dim", padded);
      return typeof cell === "string" ? padded : paint(cell.tone, padded);
    });
    return line.join(GAP).trimEnd();
  });
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}

function fitted(
  widths: readonly number[],
  width: number | null,
  cut: readonly number[],
): readonly number[] {
  if (width === null) return widths;
  const result = [...widths];
  for (const column of cut) {
    const all = result.reduce((sum, each) => sum + each, 0) + GAP.length * (result.length - 1);
    const excess = all - width;
    if (excess <= 0) break;
    result[column] = Math.max(Math.min(LEAST, result[column]!), result[column]! - excess);
  }
  return result;
}

/** As much of a text as fits so many columns; that something is missing is seen. */
export function cutTo(text: string, columns: number): string {
  if (Bun.stringWidth(text) <= columns) return text;
  let cut = "";
  for (const character of text) {
    if (Bun.stringWidth(cut + character) >= columns) break;
    cut += character;
  }
  return `${cut}…`;
}

export function pad(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - Bun.stringWidth(text)));
}
