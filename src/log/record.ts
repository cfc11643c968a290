// How one record looks in the log: a line of text for people, or an object for machines. A record
// ends with its newline and is written with one write, so that it is in the log whole or not at all.

import type { LogConfig, LogLevel } from "./settings.ts";
import type { Event, OutputLine } from "../event.ts";
import { escapeControls, jsonText } from "./escape.ts";
import type { Narration } from "./narrate.ts";
import { snakeNames } from "./snake.ts";

export interface RecordFormat {
  event(time: Date, narration: Narration, event: Event): string;
  output(time: Date, line: OutputLine): string;
}

export function recordFormat(format: LogConfig["format"]): RecordFormat {
  return format === "json" ? JSON_FORMAT : TEXT_FORMAT;
}

/**
 * `TIME level   sentence`. Further lines of a sentence (the cause and hint of a fault) are indented,
 * so that a line that starts with a time always starts a record.
 */
const TEXT_FORMAT: RecordFormat = {
  event: (time, narration, event) => `${fieldsText(eventFields(time, narration, event))}\n`,
  output: (time, line) => `${fieldsText(outputFields(time, line))}\n`,
};

const JSON_FORMAT: RecordFormat = {
  event(time, narration, event) {
    const { details: _, ...fields } = eventFields(time, narration, event);
    return json(fields);
  },
  output: (time, line) => json(outputFields(time, line)),
};

/** `message` is the first line of the sentence; `details` the others, which the event's own fields say as well. */
export function eventFields(
  time: Date,
  { level, text }: Narration,
  { type, ...fields }: Event,
): LogFields {
  const [message = "", ...details] = text.split("\n");
  const more = details.length === 0 ? {} : { details };
  const named = snakeNames(fields) as object;
  return { time: timestamp(time), level, event: type, message, ...more, ...named };
}

/** Of most lines nobody knows the level: they are notices. */
export function outputFields(time: Date, line: OutputLine): LogFields {
  const { pool, pid, level, text } = line;
  const by = line.byLeader ? ({ by: "leader" } as const) : {};
  return {
    time: timestamp(time),
    level: level ?? "notice",
    event: "output",
    pool,
    pid,
    ...by,
    text,
  };
}

/** What an object of the log has at least. */
export interface LogFields {
  readonly time: string;
  readonly level: LogLevel;
  /** Its type, or "output" of a worker's line. */
  readonly event: string;
  readonly message?: string;
  readonly details?: readonly string[];
  readonly pool?: string;
  readonly pid?: number;
  /** Of a worker's line: not a worker wrote it, but its leader. */
  readonly by?: "leader";
  readonly text?: string;
}

/** The same as a record of the text format, without its line end. */
export function fieldsText({ time, level, event, message = "", ...rest }: LogFields): string {
  if (event !== "output") {
    const lines = [message, ...(rest.details ?? [])].map(escapeControls);
    return `${time} ${column(level)} ${lines.join("\n    ")}`;
  }
  const { pool, pid, by = "worker", text = "" } = rest;
  return `${time} ${column(level === "notice" ? "output" : level)} pool ${pool}, ${by} ${pid}: ${escapeControls(text)}`;
}

function json(fields: object): string {
  return `${jsonText(fields)}\n`;
}

function column(word: LogLevel | "output"): string {
  return word.padEnd(7);
}

/** Local time with its offset from UTC, as RFC 3339 has it: `2026-11-22T15:04:05.123+01:00`. */
export function timestamp(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const local = new Date(time.getTime() + offset * 60_000).toISOString().slice(0, -1);
  const minutes = Math.abs(offset);
  return `${local}${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
