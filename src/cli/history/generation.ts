// The generation that a command names.

import type { Options } from "../options.ts";
import { usageFault } from "../usage.ts";

export const GENERATION = {
  type: "positional",
  required: false,
  description: "which generation's config; the last other one that served unless given",
} as const satisfies Options[string];

/** Throws a usage Fault for what is no number of one. */
export function generationOf(text: string | undefined, command: string): number | null {
  if (text === undefined) return null;
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text);
  throw usageFault(
    `"${text}" is no number of a generation; \`fcgivisor history\` lists them`,
    command,
  );
}
