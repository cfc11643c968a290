// Where the time goes, as two tables: by function (in it alone, and with all that it calls) and by line.

import type { ProfileBatch } from "../../admin/contract.ts";
import { escapeControls } from "../../log/escape.ts";
import { functionText, placeText } from "../../observe/stack-text.ts";

const ROWS_MOST = 20;

export function topText(profile: ProfileBatch): string {
  const { samples, idle, unsure, uncounted } = profile;
  const notes = [
    `${samples} samples of PHP code, ${idle} of workers that ran none`,
    ...(unsure > 0 ? [`${unsure} that changed faster than they could be read`] : []),
    ...(uncounted > 0 ? [`${uncounted} left out: too many different stacks`] : []),
  ];
  if (samples === 0) return `no worker ran any PHP code meanwhile (${notes.join("; ")})`;
  const rows = functionRows(profile);
  return [
    notes.join("; "),
    "",
    "   SELF   TOTAL  FUNCTION",
    ...rows.map(({ name, self, total }) => `${share(self)}  ${share(total)}  ${name}`),
    "",
    "   SELF  LINE",
    ...lineRows(profile).map(({ name, self }) => `${share(self)}  ${name}`),
  ]
    .map(escapeControls)
    .join("\n");

  function share(count: number): string {
    return `${((100 * count) / samples).toFixed(1)} %`.padStart(7);
  }
}

interface Row {
  readonly name: string;
  /** Samples in which it ran itself. */
  self: number;
  /** And those in which something ran that it had called. */
  total: number;
}

/** Most of their own first. A function that calls itself counts once a stack. */
export function functionRows({ stacks }: ProfileBatch): Row[] {
  const rows = new Map<string, Row>();
  for (const { count, frames } of stacks) {
    const names = frames.map(functionText);
    for (const name of new Set(names)) {
      const row = rows.get(name) ?? { name, self: 0, total: 0 };
      rows.set(name, row);
      row.total += count;
      if (name === names[0]) row.self += count;
    }
  }
  return [...rows.values()]
    .sort((a, b) => b.self - a.self || b.total - a.total)
    .slice(0, ROWS_MOST);
}

/** The line that runs, or that has called what is part of PHP. */
export function lineRows({ stacks }: ProfileBatch): { name: string; self: number }[] {
  const rows = new Map<string, number>();
  for (const { count, frames } of stacks) {
    const frame = frames.find(({ file }) => file !== null);
    if (frame === undefined) continue;
    const name = placeText(frame);
    rows.set(name, (rows.get(name) ?? 0) + count);
  }
  return [...rows]
    .map(([name, self]) => ({ name, self }))
    .sort((a, b) => b.self - a.self)
    .slice(0, ROWS_MOST);
}
