// The log: events become sentences and go through consola, which filters by level; what workers
// write goes past consola, for it must come out as it is, line for line. Both end in one target, in
// the order they came.

import { createConsola, LogTypes, type ConsolaInstance } from "consola/core";
import type { LogConfig, LogLevel } from "./settings.ts";
import type { Event, EventRecord, OutputLine } from "../event.ts";
import { wallClock } from "../sys/clock.ts";
import { LogFile } from "./file.ts";
import { narrate, type Narration } from "./narrate.ts";
import { recordFormat, type RecordFormat } from "./record.ts";
import { StderrLog } from "./stderr.ts";
import type { AnnounceLost, LogTarget } from "./target.ts";

export class Log {
  private readonly format: RecordFormat;
  private readonly target: LogTarget;
  private readonly logger: ConsolaInstance;

  /** Opens the log. Throws a Fault when its file cannot be opened. */
  constructor(config: LogConfig) {
    const format = recordFormat(config.format);
    const announce: AnnounceLost = (lines, why) =>
      eventRecord(format, { type: "log-lost", lines, why });
    this.format = format;
    this.target =
      config.file === null ? new StderrLog(announce) : LogFile.open(config.file, announce);
    this.logger = createLogger(config.level, format, this.target);
  }

  /** Logs the event, if its level is logged. Never throws. */
  record(record: EventRecord): void {
    const narration = narrate(record.event);
    this.logger[TYPES[narration.level]](narration, record);
  }

  /**
   * Logs a worker's line, whatever the level: that level says which news of the supervisor's own are
   * wanted, and a worker's "PHP Fatal error" would vanish at level "error" if it were counted as
   * mere notice. Who does not want these lines sets `log_output = false`. Only what a program notes of
   * the usual is a matter of the level. Never throws.
   */
  output(line: OutputLine, time = wallClock()): void {
    if (line.level === "debug" && this.logger.level < RANK.debug) return;
    this.target.write(this.format.output(time, line));
  }

  /**
   * Opens every log file again and returns their paths. Throws a Fault when one cannot be opened, and
   * then goes on with the old one. Telling of it (`log-reopened`) is left to the caller.
   */
  reopen(): readonly string[] {
    return this.target.reopen();
  }

  /** Writes what is still to be written and ends; nothing may be logged after it. */
  close(): void {
    this.target.close();
  }
}

function eventRecord(format: RecordFormat, event: Event): string {
  return format.event(wallClock(), narrate(event), event);
}

/** Our levels by consola's names for them. */
const TYPES = {
  alert: "fatal",
  error: "error",
  warn: "warn",
  notice: "info",
  debug: "debug",
} as const satisfies Record<LogLevel, keyof typeof LogTypes>;

/** consola counts a fatal message and an error alike; alert and error are two levels. */
const RANK: Readonly<Record<LogLevel, number>> = {
  alert: 0,
  error: 1,
  warn: 2,
  notice: 3,
  debug: 4,
};

function createLogger(level: LogLevel, format: RecordFormat, target: LogTarget): ConsolaInstance {
  return createConsola({
    level: RANK[level],
    types: {
      ...LogTypes,
      fatal: { level: RANK.alert },
      error: { level: RANK.error },
      warn: { level: RANK.warn },
      info: { level: RANK.notice },
      debug: { level: RANK.debug },
    },
    // consola drops a line that repeats the last one sooner than this; 0 would still do so after the
    // wall clock was set back.
    throttle: Number.NEGATIVE_INFINITY,
    reporters: [
      {
        log({ args }) {
          const [narration, { time, event }] = args as [Narration, EventRecord];
          target.write(format.event(time, narration, event));
        },
      },
    ],
  });
}
