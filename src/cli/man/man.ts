// `fcgivisor man`: the man page, for `man -l` and packages.

import { type Command, defineCommand, type CommandTable } from "../command.ts";
import { listedCommands } from "../help/overview.ts";
import { printData } from "../print-data.ts";
import { DATE, VERSION } from "../version.ts";
import { manPage } from "./page.ts";

/** The command itself; it is one of the table that it tells of. */
export function manCommand(commands: CommandTable): Command {
  return defineCommand({
    name: "man",
    description:
      "Prints the man page, fcgivisor(8): `fcgivisor man | man -l -`, or into /usr/local/share/man/man8/fcgivisor.8.",
    options: {},
    async run() {
      const loading = listedCommands(commands).map(({ name }) => commands[name]!.load());
      const loaded = (await Promise.all(loading)).map((module) => module.default);
      printData(`${manPage({ version: VERSION, date: DATE, commands: loaded })}\n`);
      return 0;
    },
  });
}
