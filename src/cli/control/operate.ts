// One control command from the shell: ask the supervisor, show how it goes, print what came of it. The
// supervisor owns the operation; when this process is interrupted, it goes on.

import { AdminClient, BrokenOff } from "../../admin/client.ts";
import type {
  Operation,
  PoolOutcome,
  OperationOptions,
  Report,
  ProgressStep,
} from "../../admin/contract.ts";
import { Fault, faultLines } from "../../fault.ts";
import { count, elapsed } from "../../log/words.ts";
import { sleep } from "../../sys/clock.ts";
import { lives } from "../../sys/procfs.ts";
import type { COMMON, ValuesOf } from "../options.ts";
import { print } from "../print.ts";
import { controlSocket } from "./control-socket.ts";

type ControlOptions = ValuesOf<typeof COMMON>;

/** Runs it to its end and prints the report. Throws the Fault it failed with; exit code 0 otherwise. */
export async function operate(
  word: Operation,
  args: ControlOptions,
  options: OperationOptions = {},
): Promise<number> {
  const socket = await controlSocket(args);
  const show = process.stderr.isTTY && !args.quiet && !args.json ? showStep : () => {};
  const client = new AdminClient(socket);
  const report = await withFaultAsJson(args, () =>
    client
      .operate(word, options, show)
      .catch((error: unknown) => ifEnded(client, word, error))
      .catch((error: unknown) => ifNotRunning(word, args, socket, error)),
  );
  if (report === null) return 1;
  if ((word === "stop" || word === "quit") && report.pid > 0) await untilGone(report.pid);
  const done = `the ${word} is done all the same; only its report could not be written`;
  if (args.json) print(`${JSON.stringify({ ok: true, report }, null, 2)}\n`, done);
  else if (!args.quiet) print(`${reportLines(report).join("\n")}\n`, done);
  return 0;
}

/** With --json a failed operation is told as JSON on stdout too; the reason goes to stderr either way. */
async function withFaultAsJson(
  args: ControlOptions,
  work: () => Promise<Report>,
): Promise<Report | null> {
  if (!args.json) return work();
  const { asFault } = await import("../../fault.ts");
  try {
    return await work();
  } catch (error) {
    const fault = asFault(error);
    if (fault.exitCode !== 1) throw fault;
    print(`${JSON.stringify({ ok: false, fault }, null, 2)}\n`);
    process.stderr.write(`${faultLines(fault).join("\n")}\n`);
    return null;
  }
}

/** Two words at once: one of them may find the supervisor gone, which is what it wanted. */
async function ifEnded(client: AdminClient, word: Operation, error: unknown): Promise<Report> {
  const wantsEnd = word === "stop" || word === "quit";
  if (!wantsEnd || !(error instanceof BrokenOff)) throw error;
  const status = await client.status().catch(() => null);
  if (status !== null) throw error;
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

/** The answer comes when the workers have left; the process itself goes a moment later. */
async function untilGone(pid: number): Promise<void> {
  const POLL_MS = 5;
  const MOST_MS = 5000;
  for (let waited = 0; waited < MOST_MS && lives(pid); waited += POLL_MS) await sleep(POLL_MS);
}

function showStep(step: ProgressStep): void {
  const text = stepText(step);
  if (text !== null) process.stderr.write(`${text}\n`);
}

function stepText(step: ProgressStep): string | null {
  switch (step.step) {
    case "waiting":
      return `waiting for ${step.behind} to end`;
    case "checked":
      return `config checked: ${count(step.pools, "pool")}`;
    case "ready":
      return `pool ${step.pool}: new workers are ready`;
    case "swapped":
      return "new workers serve; old ones finish their requests";
    case "draining":
      return step.late.length === 0
        ? null
        : `still busy: ${step.late.map((late) => `worker ${late.pid} of pool ${late.pool} (${elapsed(late.age_ms)}, at most ${elapsed(late.left_ms)} more)`).join(", ")}`;
    case "executing":
      return `becoming fcgivisor ${step.version}`;
    case "drained":
      return null;
  }
}

/** What is printed when an operation is done. */
export function reportLines(report: Report): string[] {
  const lines = [headline(report)];
  for (const outcome of report.pools ?? [])
    lines.push(...outcomeLines(outcome, report.dry_run === true));
  if (report.cut) lines.push(`  ${cutText(report.operation, report.cut)}`);
  for (const { pool, pid } of report.stuck ?? [])
    lines.push(
      `  process ${pid} of pool ${pool} survives SIGKILL and was left alone: it waits in the kernel (see /proc/${pid}/stack)`,
    );
  for (const { setting, from, to } of report.settings ?? [])
    lines.push(`  ${setting}: ${from ?? "(default)"} -> ${to ?? "(default)"}`);
  for (const { setting, to } of report.needs_restart ?? []) {
    lines.push(
      `  ${setting} = ${to ?? "(default)"}: takes effect when fcgivisor is stopped and started`,
    );
  }
  for (const warning of report.warnings ?? []) lines.push(`  warning: ${warning}`);
  return lines;
}

function cutText(operation: Operation, cut: number): string {
  const what = `${count(cut, "request was", "requests were")} cut short`;
  if (operation === "stop" || operation === "restart") return what;
  return `${what}: longer than drain_timeout`;
}

function headline(report: Report): string {
  const took = `in ${elapsed(report.duration_ms)}`;
  switch (report.operation) {
    case "stop":
      return `${diedText(report)}stopped ${took}`;
    case "quit":
      return `${diedText(report)}stopped ${took}; requests in flight finished or reached drain_timeout`;
    case "restart":
      return `restarted ${took}, generation ${report.generation}`;
    case "logrotate":
      return report.files?.length
        ? `reopened: ${report.files.join(", ")}`
        : "there is no log file: the log goes to stderr";
    case "upgrade":
      return `upgraded ${took}`;
    case "reload":
      if (report.dry_run === true) return "a reload would do this (nothing was touched):";
      return `reloaded ${took}, generation ${report.generation}${leavingText(report)}`;
  }
}

function diedText({ left_behind: left }: Report): string {
  return left === undefined
    ? ""
    : `the supervisor had died; ${count(left, "left-over process", "left-over processes")} still served: `;
}

function leavingText({ drained, stuck = [] }: Report): string {
  if (drained !== true) return ", old workers are leaving";
  return stuck.length === 0 ? ", old workers have left" : ", old workers have left, but not all";
}

function outcomeLines({ pool, outcome, listen, changes }: PoolOutcome, planned: boolean): string[] {
  const verb = {
    added: "add",
    removed: "remove",
    readdressed: "move",
    replaced: "replace the workers of",
  }[outcome];
  const done = { added: "added", removed: "removed", readdressed: "moved", replaced: "replaced" }[
    outcome
  ];
  const head = planned
    ? `  ${verb} pool ${pool} (${listen})`
    : `  pool ${pool}: ${done} (${listen})`;
  return [
    head,
    ...changes.map(
      ({ setting, from, to }) => `    ${setting}: ${from ?? "(default)"} -> ${to ?? "(default)"}`,
    ),
  ];
}
