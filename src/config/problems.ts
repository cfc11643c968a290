// Collects everything that is wrong with a config, so that it is said at once and not one a run.

import { Fault, type Place } from "../fault.ts";

/** A place in a file, or a word for it ("--listen"). */
export type Where = Place | string;

export interface Problems {
  readonly errors: readonly Fault[];
  readonly warnings: readonly Fault[];
  /** Whether further errors are not listed any more: then there is no need to look for them. */
  readonly full: boolean;
  error(message: string, where: Where, hint?: string): void;
  warn(message: string, where: Where, hint?: string): void;
}

/** Who has more to correct does not read them at once. */
const MOST = 200;

export function collectProblems(): Problems {
  const errors: Fault[] = [];
  const warnings: Fault[] = [];
  const addError = collector(errors, "problems");
  const addWarning = collector(warnings, "warnings");
  return {
    errors,
    warnings,
    get full() {
      return errors.length > MOST;
    },
    error: (message, where, hint) => addError(message, where, hint),
    warn: (message, where, hint) => addWarning(message, where, hint),
  };
}

// A legacy value that holds for every pool is read once for each: its problem is still one.
function collector(list: Fault[], what: string) {
  const known = new Set<string>();
  return (message: string, where: Where, hint: string | undefined) => {
    if (list.length > MOST) return;
    const key = `${originText(where)}\0${message}`;
    if (known.has(key)) return;
    known.add(key);
    const full = list.length === MOST;
    list.push(
      full
        ? problem(`there are more ${what} than these ${MOST}`, where, undefined)
        : problem(message, where, hint),
    );
  };
}

/** The one Fault that sums up all errors, each a part of it; warnings follow, they may be the cause. */
export function summary(problems: Pick<Problems, "errors" | "warnings">, where: string): Fault {
  const { errors, warnings } = problems;
  const counts = [counted(errors.length, "problem"), counted(warnings.length, "warning")];
  const parts = [...inOrder(errors), ...inOrder(warnings).map(asWarning)];
  return new Fault(`${counts.filter((c) => c !== "").join(" and ")} in ${where}`, { parts });
}

function counted(count: number, what: string): string {
  return count === 0 ? "" : count === 1 ? `1 ${what}` : `${count} ${what}s`;
}

function asWarning({ message, where, hint }: Fault): Fault {
  return problem(`warning: ${message}`, where ?? "", hint);
}

/** `FILE:LINE`, or the word for where it stands. */
export function originText(where: Where): string {
  if (typeof where === "string") return where;
  return where.line === undefined ? where.file : `${where.file}:${where.line}`;
}

function problem(message: string, where: Where, hint: string | undefined): Fault {
  return new Fault(message, { where, ...(hint === undefined ? {} : { hint }) });
}

// As the reader meets them in the file; what was found first in another file stays before it.
function inOrder(faults: readonly Fault[]): Fault[] {
  const files = [...new Set(faults.map(fileOf))];
  return faults.toSorted(
    (a, b) =>
      files.indexOf(fileOf(a)) - files.indexOf(fileOf(b)) ||
      lineOf(a) - lineOf(b) ||
      columnOf(a) - columnOf(b),
  );
}

function fileOf(fault: Fault): string {
  return typeof fault.where === "object" ? fault.where.file : "";
}

function lineOf(fault: Fault): number {
  return typeof fault.where === "object" ? (fault.where.line ?? 0) : 0;
}

function columnOf(fault: Fault): number {
  return typeof fault.where === "object" ? (fault.where.column ?? 0) : 0;
}
