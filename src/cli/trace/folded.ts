// Folded stacks, as flamegraph.pl made them usual: a line for each stack, the script first, frames parted by
// semicolons, and how often it was seen.

import type { ProfileBatch } from "../../admin/contract.ts";
import { escapeControls } from "../../log/escape.ts";
import { functionText } from "../../observe/stack-text.ts";

export function foldedText({ stacks }: ProfileBatch): string {
  const counts = new Map<string, number>();
  for (const { count, frames, cut } of stacks) {
    const names = frames.map(functionText).map(plain).reverse();
    const line = (cut ? ["(cut)", ...names] : names).join(";");
    counts.set(line, (counts.get(line) ?? 0) + count);
  }
  return [...counts].map(([line, count]) => `${line} ${count}\n`).join("");
}

/** A semicolon parts frames, a blank the count. */
function plain(name: string): string {
  return escapeControls(name).replaceAll(";", ":").replaceAll(/\s/g, "_");
}
