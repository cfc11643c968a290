// What a line means that comes from a php-fpm master or its workers. The master frames what its workers write
// (decorate_workers_output), so that nothing a worker writes can pass for a word of the master, and the
// worker is known. Here the frame is taken off again, and the master's own date. Pure.

import type { ProcessEnd } from "../../event.ts";
import type { LogLevel } from "../../log/settings.ts";
import { phpLevel } from "../php-message.ts";
import type { OutputReading, WrittenLine } from "../runtime.ts";

/** Bytes; php-fpm wraps what is longer, the frame included. */
export const LONGEST_LINE = 65_536;

const MASTER =
  /^\[\d\d-\w{3}-\d{4} \d\d:\d\d:\d\d(?:\.\d+)?\] (ALERT|ERROR|WARNING|NOTICE|DEBUG): (?:\[pool [^\]]*\] )?(.*)$/s;
const FRAMED = /^child (\d+) said into std(?:out|err): "(.*)"(?:, pipe is closed)?$/s;
/** What the master tells of a request that takes long. */
const OF_REQUEST = /^child (\d+), (script .*)$/s;
/** The exit code of a worker that could not take on its user, folder or limits (FPM_EXIT_SOFTWARE). */
const NOT_INITIALIZED = "70";
const ENDED = /^child (\d+) exited (?:with code (\d+)|on signal (\d+) \((\w+)[^)]*\)) after /;
/** At which words of the master somebody has sent it which signal. */
const SIGNALLED: readonly (readonly [RegExp, string])[] = [
  [/^Terminating \.\.\.$/, "SIGTERM or SIGINT"],
  [/^Finishing \.\.\.$/, "SIGQUIT"],
  [/^Reloading in progress \.\.\.$/, "SIGUSR2 or SIGHUP"],
];
/** What a master notes of the usual, and of what the supervisor does with it and its workers. */
const USUAL = [
  /^(using inherited socket|fpm is running|ready to handle|systemd monitor|exiting, bye-bye)/,
  /^child \d+ started$/,
  /^(child \d+ stopped for tracing|about to trace|finished trace of)/,
  /^error log file re-opened$/,
  /^reloading: execvp/,
];

const LEVELS: Readonly<Record<string, LogLevel>> = {
  ALERT: "alert",
  ERROR: "error",
  WARNING: "warn",
  NOTICE: "notice",
  DEBUG: "debug",
};

export function readFpmLine(line: WrittenLine): OutputReading {
  const [, level, said] = (line.byLeader && MASTER.exec(line.text)) || [];
  if (level === undefined || said === undefined) return workerSays(null, line.text);
  const [, child, text] = FRAMED.exec(said) ?? [];
  if (child !== undefined && text !== undefined) {
    const isCut = Buffer.byteLength(line.text) >= LONGEST_LINE - 1;
    return { ...workerSays(Number(child), text), isCut };
  }
  return masterSays(LEVELS[level]!, said);
}

/** A worker's own words; what PHP says goes through php-fpm's logger, which puts its level first. */
function workerSays(pid: number | null, text: string): OutputReading {
  const [, level, said] = /^(ALERT|ERROR|WARNING|NOTICE|DEBUG): (.*)$/s.exec(text) ?? [];
  if (level === undefined || said === undefined) return { pid, text, level: phpLevel(text) };
  const message = said.replace(/^PHP message: /, "");
  return { pid, text: message, level: phpLevel(message) ?? LEVELS[level]! };
}

function masterSays(level: LogLevel, text: string): OutputReading {
  const end = endIn(text);
  // The event tells it.
  if (end !== null) return { pid: null, text, level: "debug", news: end };
  if (text === "access log file re-opened")
    return { pid: null, text, level: "debug", news: { what: "logs-reopened" } };
  const [, child, request] = OF_REQUEST.exec(text) ?? [];
  if (child !== undefined && request !== undefined) return ofRequest(Number(child), level, request);
  const [, signal] = SIGNALLED.find(([pattern]) => pattern.test(text)) ?? [];
  if (signal !== undefined)
    return { pid: null, text, level: "debug", news: { what: "leader-signalled", signal } };
  const isUsual = level === "notice" && USUAL.some((pattern) => pattern.test(text));
  return { pid: null, text, level: isUsual ? "debug" : level };
}

function ofRequest(pid: number, level: LogLevel, text: string): OutputReading {
  const reading = { pid, text, level };
  return /\), terminating$/.test(text)
    ? { ...reading, news: { what: "worker-timed-out", pid } }
    : reading;
}

function endIn(text: string): NonNullable<OutputReading["news"]> | null {
  const [, pid, code, , signal] = ENDED.exec(text) ?? [];
  if (pid === undefined) return null;
  const end: ProcessEnd =
    signal === undefined ? { how: "exited", code: Number(code) } : { how: "signaled", signal };
  return { what: "worker-ended", pid: Number(pid), end, neverServed: code === NOT_INITIALIZED };
}
