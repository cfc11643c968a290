// Showing a text with another program on the terminal, page by page.

import { inForeground } from "./foreground.ts";

/** What git gives to less: quit when it fits on the screen, leave it there, let colours through. */
const LESS = "FRX";
/** Exit codes of sh for a command that cannot be run. */
const NOT_RUN = [126, 127];

/** Whether the program is somewhere in PATH. */
export function isInstalled(program: string): boolean {
  return Bun.which(program) !== null;
}

/** Hands the text to a command of sh's and waits until it has been left; false when there is no such command. */
export async function page(command: string, text: string): Promise<boolean> {
  const env = { ...process.env, LESS: process.env["LESS"] ?? LESS };
  return !NOT_RUN.includes(await inForeground(command, { env, stdin: text }));
}
