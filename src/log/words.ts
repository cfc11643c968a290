// The small parts of a sentence: durations, counts, lists and the end of a process, in words.

import type { ProcessEnd } from "../event.ts";

/** A time span as people say it, to about three digits: `12 ms`, `2.3 s`, `5 m 2 s`, `3 h 10 m`. */
export function elapsed(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Number((ms / 1000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return pair(Math.floor(seconds / 60), "m", seconds % 60, "s");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return pair(Math.floor(minutes / 60), "h", minutes % 60, "m");
  const hours = Math.floor(minutes / 60);
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** `1 worker`, `4 workers`. */
export function count(number: number, singular: string, plural = `${singular}s`): string {
  return `${number} ${number === 1 ? singular : plural}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function list(items: readonly (string | number)[]): string {
  const last = items.at(-1);
  if (last === undefined) return "none";
  return items.length === 1 ? String(last) : `${items.slice(0, -1).join(", ")} and ${last}`;
}

/** The first of many, and how many more there are: `a, b, c and 1997 more`. */
export function firstOf(items: readonly string[], most = 5): string {
  const more = items.length - most;
  return more < 2 ? list(items) : list([...items.slice(0, most), `${more} more`]);
}

/** What became of a process: `exited with code 1`, `was killed by SIGSEGV`. */
export function ended(end: ProcessEnd): string {
  switch (end.how) {
    case "exited":
      return `exited with code ${end.code}`;
    case "signaled":
      return `was killed by ${end.signal}`;
    case "vanished":
      return "ended with unknown exit status";
  }
}

const PROGRAM_ERRORS = new Set(["SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE"]);

/** Where to look after an end that nobody asked for; empty when the end says enough. */
export function advice(end: ProcessEnd): string {
  if (end.how !== "signaled") return "";
  if (end.signal === "SIGKILL") {
    return "; if nobody sent that signal, look for the out-of-memory killer in the kernel's log";
  }
  return PROGRAM_ERRORS.has(end.signal)
    ? "; that is an error in the program or a library of it, and rlimit_core makes it leave a core file"
    : "";
}

/** A word for sh, quoted where it must be. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
