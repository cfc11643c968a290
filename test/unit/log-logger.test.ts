import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event } from "../../src/event.ts";
import { Log } from "../../src/log/logger.ts";
import { timestamp } from "../../src/log/record.ts";
import type { LogConfig, LogLevel } from "../../src/log/settings.ts";

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "fv-log-"));
  path = join(dir, "f.log");
});
afterEach(() => rmSync(dir, { recursive: true }));

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d`;

const config = (level: LogLevel, format: LogConfig["format"]) => ({ file: path, level, format });

function logged(level: LogLevel, format: LogConfig["format"], ...events: Event[]): string[] {
  const log = new Log(config(level, format));
  for (const event of events) log.record(recordOf(event));
  log.close();
  return readFileSync(path, "utf8").split("\n").slice(0, -1);
}

/** The time is that of the event, not that of the writing. */
const AT = new Date("2026-11-22T15:04:05.123Z");
const recordOf = (event: Event) => ({ number: 1, time: AT, event });

const STOPPED: Event = { type: "supervisor-stopped", ms: 5 };
const RECOVERED: Event = { type: "pool-recovered", pool: "www", failures: 2 };
const EVENT_OF_LEVEL: Record<Exclude<LogLevel, "alert">, Event> = {
  debug: { type: "group-ready", pool: "www", pid: 7, ms: 5 },
  notice: RECOVERED,
  warn: { type: "backing-off", pool: "www", failures: 1, delayMs: 100, why: "it left" },
  error: { type: "trouble", fault: { message: "it broke" } },
};

test("a line has a time, a level in a column, and the sentence", () => {
  const [line] = logged("notice", "text", RECOVERED);
  expect(line).toBe(`${timestamp(AT)} notice  pool www recovered after 2 failures`);
});

test.each([
  ["debug", ["debug", "notice", "warn", "error"]],
  ["notice", ["notice", "warn", "error"]],
  ["warn", ["warn", "error"]],
  ["error", ["error"]],
  ["alert", []],
] as const)("level %s logs %p", (level, expected) => {
  const lines = logged(level, "json", ...Object.values(EVENT_OF_LEVEL));
  expect(lines.map((line) => JSON.parse(line).level)).toEqual([...expected]);
});

test("neither the environment nor being under test changes what is logged", () => {
  const before = process.env["CONSOLA_LEVEL"];
  process.env["CONSOLA_LEVEL"] = "0";
  try {
    expect(logged("notice", "text", RECOVERED)).toHaveLength(1);
  } finally {
    if (before === undefined) delete process.env["CONSOLA_LEVEL"];
    else process.env["CONSOLA_LEVEL"] = before;
  }
});

test("the same line again and again is logged every time", () => {
  expect(logged("notice", "text", ...new Array<Event>(100).fill(RECOVERED))).toHaveLength(100);
});

test("the lines of a fault are indented, and nothing in it can pass for a record", () => {
  const lines = logged(
    "notice",
    "text",
    {
      type: "trouble",
      fault: { message: "broken", cause: "x\n2026-01-01 forged\u001b[2J", hint: "mend it" },
    },
    STOPPED,
  );
  expect(lines).toHaveLength(5);
  expect(lines[0]).toMatch(new RegExp(`^${TIME} error   broken$`));
  expect(lines.slice(1, 4)).toEqual([
    "      cause: x",
    "    2026-01-01 forged\\x1b[2J",
    "      hint: mend it",
  ]);
});

test("as JSON an event is one object with its own fields", () => {
  const fault = { message: "broken", hint: "mend it" };
  const [line] = logged("notice", "json", {
    type: "generation-failed",
    pool: "www",
    generation: 2,
    fault,
  });
  const { time, ...rest } = JSON.parse(line!);
  expect(time).toMatch(new RegExp(`^${TIME}$`));
  expect(rest).toEqual({
    level: "error",
    event: "generation-failed",
    message: "generation 2 of pool www failed to start: broken",
    pool: "www",
    generation: 2,
    fault,
  });
});

test("workers' lines are logged at every level, in order with the events", () => {
  const log = new Log(config("error", "text"));
  log.output({ pool: "www", pid: 123, byLeader: false, level: null, text: "PHP Notice: one" });
  log.record(recordOf(RECOVERED));
  log.record(recordOf(EVENT_OF_LEVEL.error));
  log.output({ pool: "www", pid: 124, byLeader: false, level: null, text: "two\u0007" });
  log.close();
  const lines = readFileSync(path, "utf8").split("\n");
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatch(new RegExp(`^${TIME} output  pool www, worker 123: PHP Notice: one$`));
  expect(lines[1]).toMatch(new RegExp(`^${TIME} error   it broke$`));
  expect(lines[2]).toMatch(new RegExp(`^${TIME} output  pool www, worker 124: two\\\\x07$`));
});

test("as JSON a worker's line has pool, pid and text", () => {
  const log = new Log(config("notice", "json"));
  log.output({ pool: "www", pid: 123, byLeader: false, level: null, text: 'said "so"' });
  log.close();
  const { time: _, ...rest } = JSON.parse(readFileSync(path, "utf8"));
  expect(rest).toEqual({
    level: "notice",
    event: "output",
    pool: "www",
    pid: 123,
    text: 'said "so"',
  });
});

test("times are local, with the offset that makes them unambiguous", () => {
  const at = new Date("2026-11-22T14:04:05.123Z");
  const before = process.env["TZ"];
  const seen = ["Asia/Kolkata", "America/St_Johns", "UTC"].map((zone) => {
    process.env["TZ"] = zone;
    return timestamp(new Date(at));
  });
  process.env["TZ"] = before ?? "UTC";
  expect(seen).toEqual([
    "2026-11-22T19:34:05.123+05:30",
    "2026-11-22T10:34:05.123-03:30",
    "2026-11-22T14:04:05.123+00:00",
  ]);
});
