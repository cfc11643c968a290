// Collects everything that is wrong with a config, so that it is said at once and not one a run.

import { Fault, type Place } from "../fault.ts";
import { together } from "./together.ts";

/** A place in a file, or a word for it ("--listen"). */
export type Where = Place | string;

/** What to do about it. A function where it takes a search: it is asked only for what is listed. */
export type Hint = string | (() => string) | undefined;

export interface Collected {
  readonly listed: readonly Fault[];
  /** How many more there are. */
  readonly more: number;
  /** The place of the first that is not listed. */
  readonly moreFrom: Where;
}

export interface Problems {
  readonly errors: Collected;
  readonly warnings: Collected;
  error(message: string, where: Where, hint?: Hint): void;
  warn(message: string, where: Where, hint?: Hint): void;
}

/** Who has more to correct does not read them at once, so the others are only counted. */
const MOST = 200;

export function collectProblems(): Problems {
  const errors = new Collector();
  const warnings = new Collector();
  return {
    errors,
    warnings,
    error: (message, where, hint) => errors.add(message, where, hint),
    warn: (message, where, hint) => warnings.add(message, where, hint),
  };
}

class Collector implements Collected {
  readonly listed: Fault[] = [];
  more = 0;
  moreFrom: Where = "";
  readonly #known = new Set<string>();

  add(message: string, where: Where, hint: Hint): void {
    if (this.listed.length === MOST) {
      if (this.more === 0) this.moreFrom = where;
      this.more++;
      return;
    }
    // What was found twice, such as a pid file that the socket's path is made of, is still one problem.
    const key = `${originText(where)}\0${message}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.listed.push(problem(message, where, typeof hint === "function" ? hint() : hint));
  }
}

/** The one Fault that sums up all errors, each a part of it; warnings follow, they may be the cause. */
export function summary(problems: Problems, where: string, last?: Fault): Fault {
  const errors = last === undefined ? problems.errors : withOne(problems.errors, last);
  const counts = [counted(errors, "problem"), counted(problems.warnings, "warning")];
  const warnings = [
    ...together(inOrder(problems.warnings.listed)),
    ...theMore(problems.warnings, "warnings"),
  ];
  return new Fault(`${counts.filter((c) => c !== "").join(" and ")} in ${where}`, {
    parts: [...inOrder(errors.listed), ...theMore(errors, "problems"), ...warnings.map(asWarning)],
  });
}

function withOne(errors: Collected, last: Fault): Collected {
  return { ...errors, listed: [...errors.listed, last] };
}

function counted({ listed, more }: Collected, what: string): string {
  const count = listed.length + more;
  return count === 0 ? "" : count === 1 ? `1 ${what}` : `${count} ${what}s`;
}

/** What is said of those that are not listed. */
export function theMore({ more, moreFrom }: Collected, what: string): Fault[] {
  if (more === 0) return [];
  return [problem(`there are ${more} more ${what} than these ${MOST}`, moreFrom, undefined)];
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
  return new Fault(shorten(message), {
    where,
    ...(hint === undefined ? {} : { hint: shorten(hint) }),
  });
}

/** A setting may be megabytes long; nobody reads that. */
const LONGEST = 2000;

function shorten(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}...`;
}

/** As the reader meets them in the file; what was found first in another file stays before it. */
export function inOrder(faults: readonly Fault[]): Fault[] {
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
