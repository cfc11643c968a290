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
  event(time, { level, text }) {
    const body = text.split("\n").map(escapeControls).join("\n    ");
    return `${timestamp(time)} ${column(level)} ${body}\n`;
  },
  output(time, { pool, pid, byLeader, level, text }) {
    const who = byLeader ? "leader" : "worker";
    return `${timestamp(time)} ${column(level ?? "output")} pool ${pool}, ${who} ${pid}: ${escapeControls(text)}\n`;
  },
};

/** `message` is the first line of the sentence; the rest of it is in the event's own fields. */
const JSON_FORMAT: RecordFormat = {
  event(time, { level, text }, { type, ...fields }) {
    const message = text.split("\n", 1)[0];
    const named = snakeNames(fields) as object;
    return json({ time: timestamp(time), level, event: type, message, ...named });
  },
  output(time, { pool, pid, level, text }) {
    const known = level ?? "notice";
    return json({ time: timestamp(time), level: known, event: "output", pool, pid, text });
  },
};

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
