// One control command from the shell: ask the supervisor, show how it goes, print what came of it. The
// supervisor owns the operation; when this process is interrupted, it goes on.

import { AdminClient, BrokenOff } from "../../admin/client.ts";
import type { Operation, OperationOptions, Report, ProgressStep } from "../../admin/contract.ts";
import { Fault } from "../../fault.ts";
import { isTerminal, STDERR } from "../../sys/terminal.ts";
import type { COMMON, ValuesOf } from "../options.ts";
import { print, printError, printJson } from "../print.ts";
import { controlSocket } from "./control-socket.ts";
import { reportLines, stepText } from "./report-text.ts";
import { checkSameConfig } from "./same-config.ts";

type ControlOptions = ValuesOf<typeof COMMON>;
/** The word that ends the whole service; null = it goes on. */
type Ends = "stop" | "quit" | null;

/** Runs it to its end and prints the report. Throws the Fault it failed with; exit code 0 otherwise. */
export async function operate(
  word: Operation,
  args: ControlOptions,
  options: OperationOptions = {},
  onReport: (report: Report) => void = () => {},
): Promise<number> {
  const socket = await controlSocket(args);
  const ends = options.pools === undefined && (word === "stop" || word === "quit") ? word : null;
  const show = !args.quiet && !args.json && isTerminal(STDERR) ? showStep : () => {};
  const client = new AdminClient(socket);
  const switches = options.config !== undefined;
  // What it takes to see a process end, no other word has to load.
  const gone = ends !== null ? (await import("./until-gone.ts")).endOf(socket) : null;
  const report = await (switches ? Promise.resolve() : checkSameConfig(client, args))
    .then(() =>
      options.dry_run ? client.plan(word, options) : client.operate(word, options, show),
    )
    .catch((error: unknown) => ifEnded(client, ends, error))
    .catch((error: unknown) => ifNotRunning(ends, args, socket, error));
  await gone?.();
  onReport(report);
  const done = `the ${word} is done all the same; only its report could not be written`;
  if (args.json) printJson({ ok: true, report }, done);
  else if (!args.quiet) print(`${reportLines(report).join("\n")}\n`, done);
  return 0;
}

/** Two words at once: one of them may find the supervisor gone, which is what it wanted. */
async function ifEnded(client: AdminClient, ends: Ends, error: unknown): Promise<Report> {
  if (ends === null || !(error instanceof BrokenOff)) throw error;
  const still = await client.supervisor().catch(() => null);
  if (still !== null) throw error;
  return { operation: ends, pid: 0, duration_ms: 0, generation: 0 };
}

/** Where nobody answers, a dead supervisor's workers may still serve: a stop ends them. */
async function ifNotRunning(
  ends: Ends,
  args: ControlOptions,
  socket: string,
  error: unknown,
): Promise<Report> {
  if (!(error instanceof Fault) || error.exitCode !== 3) throw error;
  const { endLeftOver, withLeftOver } = await import("./left-over.ts");
  const ended = ends === null ? null : await endLeftOver(ends, args, socket);
  if (ended === null) throw await withLeftOver(error, args, socket);
  return ended;
}

function showStep(step: ProgressStep): void {
  const text = stepText(step);
  if (text !== null) printError(`${text}\n`);
}
