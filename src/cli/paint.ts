// Colours, for a terminal and nowhere else, and not where NO_COLOR says so (no-color.org). What is painted has been
// made safe to print before.

export type Tone = "good" | "calm" | "warn" | "bad" | "dim" | "strong";
export type Paint = (tone: Tone, text: string) => string;

const CODES: Readonly<Record<Tone, number>> = {
  good: 32,
  calm: 36,
  warn: 33,
  bad: 31,
  dim: 2,
  strong: 1,
};

export const plain: Paint = (_, text) => text;
const colours: Paint = (tone, text) => `\x1b[${CODES[tone]}m${text}\x1b[0m`;

/** `isTerminal`: whether what is painted goes to one. */
export function paintFor(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>) {
  const isWanted = !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return isTerminal && isWanted ? colours : plain;
}
