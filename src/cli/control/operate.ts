// One control command from the shell: ask the supervisor, show how it goes, print what came of it. The
// supervisor owns the operation; when this process is interrupted, it goes on.

import { AdminClient, BrokenOff } from "../../admin/client.ts";
import type { Operation, OperationOptions, Report, ProgressStep } from "../../admin/contract.ts";
import { Fault } from "../../fault.ts";
import { now, sleep } from "../../sys/clock.ts";
import { lives, type ProcessId, processStat } from "../../sys/proc/procfs.ts";
import { listener } from "../../sys/socket/credentials.ts";
import { isTerminal, STDERR } from "../../sys/terminal.ts";
import type { COMMON, ValuesOf } from "../options.ts";
import { print, printError, printJson } from "../print.ts";
import { controlSocket } from "./control-socket.ts";
import { reportLines, stepText } from "./report-text.ts";
import { checkSameConfig } from "./same-config.ts";

const POLL_MS = 5;
/** A process that closes its files waits for a disk at most. */
const END_MOST_MS = 30_000;

type ControlOptions = ValuesOf<typeof COMMON>;

/** Runs it to its end and prints the report. Throws the Fault it failed with; exit code 0 otherwise. */
export async function operate(
  word: Operation,
  args: ControlOptions,
  options: OperationOptions = {},
): Promise<number> {
  const socket = await controlSocket(args);
  const show = !args.quiet && !args.json && isTerminal(STDERR) ? showStep : () => {};
  const client = new AdminClient(socket);
  const switches = options.config !== undefined;
  const ends = word === "stop" || word === "quit";
  const supervisor = ends ? listenerOf(socket) : null;
  const report = await (switches ? Promise.resolve() : checkSameConfig(client, args))
    .then(() => client.operate(word, options, show))
    .catch((error: unknown) => ifEnded(client, word, error))
    .catch((error: unknown) => ifNotRunning(word, args, socket, error));
  if (supervisor !== null) await untilGone(supervisor);
  const done = `the ${word} is done all the same; only its report could not be written`;
  if (args.json) printJson({ ok: true, report }, done);
  else if (!args.quiet) print(`${reportLines(report).join("\n")}\n`, done);
  return 0;
}

/** Two words at once: one of them may find the supervisor gone, which is what it wanted. */
async function ifEnded(client: AdminClient, word: Operation, error: unknown): Promise<Report> {
  const wantsEnd = word === "stop" || word === "quit";
  if (!wantsEnd || !(error instanceof BrokenOff)) throw error;
  const still = await client.supervisor().catch(() => null);
  if (still !== null) throw error;
  return { operation: word, pid: 0, duration_ms: 0, generation: 0 };
}

/** Where nobody answers, a dead supervisor's workers may still serve: a stop ends them. */
async function ifNotRunning(
  word: Operation,
  args: ControlOptions,
  socket: string,
  error: unknown,
): Promise<Report> {
  if (!(error instanceof Fault) || error.exitCode !== 3) throw error;
  const { endLeftOver, withLeftOver } = await import("./left-over.ts");
  const ended = word === "stop" || word === "quit" ? await endLeftOver(word, args, socket) : null;
  if (ended === null) throw await withLeftOver(error, args, socket);
  return ended;
}

/** Who listens there; null where nobody does, or where he cannot be seen from here (another process namespace). */
function listenerOf(socket: string): ProcessId | null {
  const pid = listener(socket)?.pid ?? 0;
  return pid === 0 ? null : processStat(pid);
}

/** The answer comes when the workers have left; the process itself goes a moment later. */
async function untilGone({ pid, startTime }: ProcessId): Promise<void> {
  const isThere = () => lives(pid) && processStat(pid)?.startTime === startTime;
  for (const since = now(); isThere(); await sleep(POLL_MS))
    if (now() - since > END_MOST_MS)
      throw new Fault(
        `all workers have left, but the supervisor itself (process ${pid}) has not ended within ${END_MOST_MS / 1000} s`,
        {
          hint: `see what it waits for: cat /proc/${pid}/wchan; \`kill -9 ${pid}\` ends it, and no request is lost by that`,
        },
      );
}

function showStep(step: ProgressStep): void {
  const text = stepText(step);
  if (text !== null) printError(`${text}\n`);
}
