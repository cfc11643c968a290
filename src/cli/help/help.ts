// `fcgivisor help [TOPIC]`: a page of the manual, or of a command that has no page its options.

import { didYouMean } from "../../config/nearest.ts";
import { listedCommands, overviewText } from "./overview.ts";
import { type Command, defineCommand, type CommandTable } from "../command.ts";
import { usageFault, usageText } from "../usage.ts";
import { show } from "./show.ts";
import { isFile, type Topic, TOPICS } from "./topics.ts";

/** The command itself; it is one of the table that it lists. */
export function helpCommand(commands: CommandTable): Command {
  return defineCommand({
    name: "help",
    description: "Prints a page of the manual, or lists what there is.",
    options: {
      topic: {
        type: "positional",
        required: false,
        valueHint: "topic",
        description: "a topic, or a command",
        choices: Object.fromEntries(
          [...TOPICS, ...listedCommands(commands)].map(({ name, summary }) => [name, summary]),
        ),
      },
    },
    async run({ topic }) {
      await show(`${(await helpText(commands, topic)).trimEnd()}\n`);
      return 0;
    },
  });
}

/** The text of a topic; without one, the list of commands and topics. Throws usage Faults. */
export async function helpText(commands: CommandTable, topic: string | undefined): Promise<string> {
  if (topic === undefined) return overviewText(commands);
  const page = TOPICS.find(({ name }) => name === topic);
  if (page !== undefined) return pageText(page.name);
  const row = Object.hasOwn(commands, topic) ? commands[topic] : undefined;
  if (row !== undefined) return usageText((await row.load()).default);
  const known = [...TOPICS, ...listedCommands(commands)].map(({ name }) => name);
  throw usageFault(`there is no help on "${topic}"${didYouMean(topic, known)}`);
}

async function pageText(topic: Topic): Promise<string> {
  const { FILES, PAGES } = await import("./pages.ts");
  if (isFile(topic)) return FILES[topic];
  return withoutMarks(PAGES[topic]);
}

/** Marks say where a table has been filled in, and what no formatter is to touch. */
function withoutMarks(page: string): string {
  return page.replaceAll(/^<!-- .* -->\n{1,2}/gm, "");
}
