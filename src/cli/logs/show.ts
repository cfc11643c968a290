// Asks a supervisor for lines of its log and prints them, as the log has them or as JSON, one object a line.

import { AdminClient } from "../../admin/client.ts";
import type { LogLine } from "../../admin/contract.ts";
import { fieldsText } from "../../log/record.ts";
import { count } from "../../log/words.ts";
import { controlSocket } from "../control/control-socket.ts";
import { checkSameConfig } from "../control/same-config.ts";
import type { COMMON, Options, ValuesOf } from "../options.ts";
import { print, printError, printJsonLine } from "../print.ts";

export const LOG_OPTIONS = {
  follow: { type: "boolean", alias: "f", description: "go on with what comes" },
  since: { type: "string", valueHint: "time", description: "not older than this, such as 10m" },
  lines: {
    type: "string",
    alias: "n",
    valueHint: "count",
    description: "at most the last so many; with -f 10 unless given",
  },
} as const satisfies Options;

type Args = ValuesOf<typeof COMMON> &
  ValuesOf<typeof LOG_OPTIONS> & { readonly pool: string | undefined };

const LINES_BEFORE = "10";

export async function showLog(page: "logs" | "events", args: Args): Promise<number> {
  const socket = await controlSocket(args);
  const client = new AdminClient(socket);
  await checkSameConfig(client, args);
  let shown = 0;
  for await (const line of client.log(page, queryOf(args))) {
    shown++;
    if (!args.quiet && !show(line, args.json)) return 0;
  }
  if (shown === 0 && !args.follow && !args.quiet && !args.json) printError(`${nothing(args)}\n`);
  return 0;
}

function queryOf({ pool, since, follow, lines }: Args): Record<string, string> {
  const last = lines ?? (follow && since === undefined ? LINES_BEFORE : undefined);
  return {
    ...(pool === undefined ? {} : { pool }),
    ...(since === undefined ? {} : { since }),
    ...(last === undefined ? {} : { lines: last }),
    ...(follow ? { follow: "true" } : {}),
  };
}

/** False when the reader has gone. */
function show(line: LogLine, json: boolean): boolean {
  if (json) return printJsonLine(line);
  if ("number" in line) return print(`${fieldsText(line)}\n`);
  if ("lost" in line)
    printError(`${count(line.lost, "line")} lost here, because this reader did not keep up\n`);
  return true;
}

function nothing({ pool, since }: Args): string {
  const which = pool === undefined ? "" : ` of pool ${pool}`;
  return `nothing${which} is kept${since === undefined ? "" : ` of the last ${since}`}; the log file may have more`;
}
