// What `fcgivisor help` and a wrong call print: the commands, one line each, from their table.

import type { CommandTable } from "../command.ts";
import { row } from "../usage.ts";

export interface Row {
  readonly name: string;
  readonly summary: string;
}

/** The commands that are for people. */
export function listedCommands(table: CommandTable): Row[] {
  return Object.entries(table)
    .filter(([, { summary }]) => summary !== "")
    .map(([name, { summary }]) => ({ name, summary }));
}

/** Usage, the commands, and further rows under a heading. */
export function overviewText(
  table: CommandTable,
  heading: string,
  further: readonly Row[],
): string {
  const commands = listedCommands(table);
  const width = Math.max(...[...commands, ...further].map(({ name }) => name.length));
  const lines = (rows: readonly Row[]) =>
    rows.flatMap(({ name, summary }) => row(name.padEnd(width), summary));
  return [
    "Usage: fcgivisor COMMAND [OPTIONS]",
    "",
    "Supervises FastCGI workers: prespawns them, keeps them running, reloads",
    "without losing a request.",
    "",
    "Commands (COMMAND --help lists its options):",
    ...lines(commands),
    "",
    heading,
    ...lines(further),
  ].join("\n");
}
