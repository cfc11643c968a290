// Columns for people. What a cell shows may come from a request, and then hold a line end.

import { escapeControls } from "../log/escape.ts";

/** The rows as lines, each column as wide as its longest cell. */
export function table(cells: readonly string[][]): string[] {
  const rows = cells.map((row) => row.map(escapeControls));
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd(),
  );
}
