// What an operation's steps and its report say to people.

import type { PoolOutcome, ProgressStep, Report } from "../../admin/contract.ts";
import { count, firstOf, elapsed } from "../../log/words.ts";

/** null: not worth a line. */
export function stepText(step: ProgressStep): string | null {
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
        : `still busy: ${firstOf(step.late.map((late) => `worker ${late.pid} of pool ${late.pool} (${elapsed(late.age_ms)}, at most ${elapsed(late.left_ms)} more)`))}`;
    case "executing":
      return `becoming fcgivisor ${step.version}`;
    case "drained":
      return null;
  }
}

/** What is printed when an operation is done. */
export function reportLines(report: Report): string[] {
  const lines = [headline(report)];
  if (report.operation === "reload" && report.pools?.length === 0)
    lines.push("  no pool has changed: none is touched");
  for (const outcome of report.pools ?? []) lines.push(...outcomeLines(outcome, wordsFor(report)));
  if (report.cut) lines.push(`  ${cutText(report.operation, report.cut)}`);
  for (const { pool, count: number, pids } of report.background ?? [])
    lines.push(
      `  ${count(number, "process", "processes")} that scripts of pool ${pool} left in the background still ${number === 1 ? "holds" : "hold"} its socket (${pids.join(", ")}${pids.length < number ? ", …" : ""})`,
    );
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

function cutText(operation: Report["operation"], cut: number): string {
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
    case "rollback":
      if (report.dry_run === true)
        return `a rollback to the config of generation ${report.back_to} would do this (nothing was touched):`;
      return `went back to the config of generation ${report.back_to} ${took}, generation ${report.generation}${leavingText(report)}; the files are untouched`;
    case "diff":
      return isSame(report)
        ? `nothing in the config has changed since generation ${report.back_to}`
        : `what has changed in the config since generation ${report.back_to}:`;
    case "reload":
      if (report.dry_run === true) return "a reload would do this (nothing was touched):";
      return `reloaded ${took}, generation ${report.generation}${leavingText(report)}`;
  }
}

function isSame({ pools = [], settings = [], needs_restart = [] }: Report): boolean {
  return pools.length + settings.length + needs_restart.length === 0;
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

function wordsFor({ operation, dry_run }: Report): "planned" | "done" | "compared" {
  if (operation === "diff") return "compared";
  return dry_run === true ? "planned" : "done";
}

function outcomeLines(
  { pool, outcome, listen, changes, because }: PoolOutcome,
  words: "planned" | "done" | "compared",
): string[] {
  const verb = {
    added: "add",
    removed: "remove",
    readdressed: "move",
    replaced: "replace the workers of",
  }[outcome];
  const done = {
    added: "added",
    removed: "removed",
    readdressed: "moved",
    replaced: words === "compared" ? "changed" : "replaced",
  }[outcome];
  const why = because === undefined ? "" : `, because ${because}`;
  const head =
    words === "planned"
      ? `  ${verb} pool ${pool} (${listen})${why}`
      : `  pool ${pool}: ${done} (${listen})${why}`;
  return [
    head,
    ...changes.map(
      ({ setting, from, to }) => `    ${setting}: ${from ?? "(default)"} -> ${to ?? "(default)"}`,
    ),
  ];
}
