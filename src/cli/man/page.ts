// The man page, made from the tables that --help and the manual are made from. Pure.

import { REQUIRED, type Rows, type Setting } from "../../config/settings/setting.ts";
import { SECTIONS } from "../../config/settings/settings.ts";
import type { Command } from "../command.ts";
import { TOPICS } from "../help/topics.ts";
import { COMMON, type Option } from "../options.ts";
import { optionRows, usageLine } from "../usage.ts";
import { definitions, filled, paragraphs, plain, section, subsection } from "./roff.ts";

export interface PageFacts {
  readonly version: string;
  /** YYYY-MM-DD */
  readonly date: string;
  /** In the order they are listed. */
  readonly commands: readonly Command[];
}

/** The whole page, in man(7). */
export function manPage({ version, date, commands }: PageFacts): string {
  return [
    `.TH FCGIVISOR 8 ${date} "fcgivisor ${plain(version)}" "System Manager's Manual"`,
    section("name", "fcgivisor \\- FastCGI supervisor"),
    section("synopsis", ".B fcgivisor", ".I COMMAND", ".RI [ OPTIONS ]"),
    section("description", description()),
    section(
      "options",
      paragraphs("Options of most commands; they may stand before the command, too."),
      definitions(optionRows({ options: COMMON })),
    ),
    section("commands", ...commands.map(commandPart)),
    section(
      "configuration",
      paragraphs(
        "TOML. An unknown setting is an error that names the nearest known one; `fcgivisor check` says all that is wrong.",
        "Durations have a unit (500ms, 5s, 1m30s), and so have sizes (64M).",
      ),
      ...Object.entries(SECTIONS).map(([name, rows]) => settingsPart(name, rows as Rows)),
    ),
    section("exit status", definitions(EXIT_CODES)),
    section("environment", definitions(ENVIRONMENT)),
    section("files", definitions(FILES)),
    section(
      "see also",
      paragraphs("The manual is in the program: `fcgivisor help TOPIC`."),
      definitions(TOPICS.map(({ name, summary }) => [`fcgivisor help ${name}`, summary])),
    ),
  ].join("\n");
}

function description(): string {
  return paragraphs(
    "Opens listening sockets, starts FastCGI workers on them (php-cgi, or any other FastCGI program), keeps them running, and reloads them without losing a request. Workers accept connections themselves: the supervisor is not on the path of a request.",
    "A command answers when the work is done, says what happened, and exits non-zero with the reason when it failed.",
  );
}

/** Those that every control command has are told once. */
function ownOptions({ options, ...command }: Command): Command {
  const shared: readonly Option[] = Object.values(COMMON);
  const own = Object.entries(options).filter(([, option]) => !shared.includes(option));
  return { ...command, options: Object.fromEntries(own) };
}

function commandPart(command: Command): string {
  return subsection(
    usageLine(command).replace(" [OPTIONS]", ""),
    filled(command.description),
    definitions(optionRows(ownOptions(command))),
  );
}

function settingsPart(name: string, rows: Rows): string {
  const settings = Object.entries(rows).map(
    ([setting, row]) => [setting, `${row.doc}${defaultText(row)}`] as const,
  );
  return subsection(name === "pool" ? "[pools.NAME]" : `[${name}]`, definitions(settings));
}

function defaultText(row: Setting<never, unknown>): string {
  if (row.default === REQUIRED) return " (required)";
  return row.default === null ? "" : ` (default: ${row.type.print(row.default)})`;
}

const EXIT_CODES = [
  ["0", "done; also a start that finds it running already with this config"],
  ["1", "failed; the reason is on standard error. Also a status that shows a pool as down"],
  ["2", "wrong usage: unknown command, option or argument"],
  ["3", "not running; the message names the socket that was looked for"],
] as const;

const ENVIRONMENT = [
  ["FCGIVISOR_CONFIG", "the config file, where `-c` is not given"],
  ["XDG_RUNTIME_DIR", "where the state directory of a user other than root is"],
  ["PAGER", "shows the pages of `fcgivisor help` on a terminal (less, where it is not set)"],
] as const;

const FILES = [
  [
    "/etc/fcgivisor/fcgivisor.toml",
    "the config, where neither `-c` nor FCGIVISOR_CONFIG names one",
  ],
  ["/run/fcgivisor", "state directory of root's supervisor: control socket, pid file, state"],
] as const;
