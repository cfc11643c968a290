// What `fcgivisor help` and a wrong call print: the commands, one line each, from their table, and the
// topics.

import type { CommandTable } from "../command.ts";
import { row } from "../usage.ts";
import { TOPICS } from "./topics.ts";

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

/** Usage, the commands, and the topics of the manual. */
export function overviewText(table: CommandTable): string {
  const commands = listedCommands(table);
  const width = Math.max(...[...commands, ...TOPICS].map(({ name }) => name.length));
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
    "Topics (fcgivisor help TOPIC):",
    ...lines(TOPICS),
  ].join("\n");
}
