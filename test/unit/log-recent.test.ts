// The last lines of the log in memory: bounded by kind, the same after an upgrade, and nobody who follows them
// slows anybody down.

import { describe, expect, test } from "bun:test";
import type { Event } from "../../src/event.ts";
import { FOLLOWERS_MOST, RecentLog, type Wanted } from "../../src/log/recent.ts";

const ALL: Wanted = { level: "debug", output: true, pool: null };
const TIME = new Date(1_000_000);

const signal = (name: string): Event => ({ type: "signal-received", signal: name });
const started = (pool: string): Event => ({
  type: "group-started",
  pool,
  pid: 7,
  generation: 1,
  workers: 1,
  forks: true,
});

function record(log: RecentLog, event: Event, time = TIME): void {
  log.record({ number: 1, time, event });
}

function parsed(lines: readonly { readonly json: string }[]): Record<string, unknown>[] {
  return lines.map(({ json }) => JSON.parse(json) as Record<string, unknown>);
}

describe("what is selected", () => {
  const log = new RecentLog();
  record(log, started("www"), new Date(1000));
  record(log, signal("SIGHUP"), new Date(2000));
  log.output({ pool: "api", pid: 9, byLeader: false, level: null, text: "hello" });

  test("comes in order, with what the JSON log has and a number", () => {
    const lines = parsed(log.select(ALL));
    expect(lines.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(lines[0]).toMatchObject({ level: "debug", event: "group-started", pool: "www", pid: 7 });
    expect(lines[1]).toMatchObject({ event: "signal-received", message: "received SIGHUP" });
    expect(lines[2]).toMatchObject({ event: "output", pool: "api", pid: 9, text: "hello" });
  });

  test.each([
    [{ level: "notice" }, [2, 3]],
    [{ output: false }, [1, 2]],
    [{ pool: "www" }, [1]],
    [{ pool: "api" }, [3]],
    [{ since: 1500 }, [2, 3]],
    [{ after: 2 }, [3]],
    [{ last: 1 }, [3]],
    [{ last: 0 }, []],
    // What workers write has no level of its own.
    [{ level: "alert" }, [3]],
  ] as const)("%o gives %o", (some, numbers) => {
    const lines = log.select({ ...ALL, ...some });
    expect(lines.map(({ number }) => number)).toEqual([...numbers]);
  });
});

test("each kind has a bound of its own: a flood of one leaves the others", () => {
  const log = new RecentLog();
  record(log, signal("SIGUSR1"));
  for (let i = 0; i < 6000; i++) {
    record(log, started("www"));
    log.output({ pool: "www", pid: 1, byLeader: false, level: null, text: "x".repeat(1000) });
  }
  const lines = log.select(ALL);
  const count = (kind: string) => lines.filter((line) => line.kind === kind).length;
  expect(count("news")).toBe(1);
  expect(count("debug")).toBeGreaterThan(100);
  expect(count("debug")).toBeLessThanOrEqual(2000);
  expect(count("output")).toBeLessThan(1100);
  const characters = lines.reduce((sum, { json }) => sum + json.length, 0);
  expect(characters).toBeLessThan(2_000_000);
});

describe("through an upgrade", () => {
  test("lines, numbers and the name of the log stay", () => {
    const before = new RecentLog();
    record(before, signal("SIGHUP"));
    const after = new RecentLog(JSON.parse(JSON.stringify(before.snapshot)));
    expect(after.id).toBe(before.id);
    expect(after.select(ALL)).toEqual(before.select(ALL));
    record(after, signal("SIGUSR1"));
    expect(after.select(ALL).map(({ number }) => number)).toEqual([1, 2]);
  });

  test.each([
    undefined,
    null,
    "x",
    {},
    { id: "a", number: 1 },
    { id: "a", number: 1, lines: [null] },
    { id: "a", number: 1, lines: [{ number: 1, time: 1, kind: "toString", level: "debug" }] },
  ])("what is no snapshot counts as none: %o", (value) => {
    const log = new RecentLog(value);
    expect(log.select(ALL)).toEqual([]);
    expect(log.id).not.toBe("a");
  });
});

describe("who follows", () => {
  test("gets what is there and what comes", async () => {
    const log = new RecentLog();
    record(log, signal("SIGHUP"));
    const follower = log.follow(ALL)!;
    expect(await follower.next()).toHaveLength(1);
    const next = follower.next();
    record(log, signal("SIGUSR1"));
    expect((await next)![0]).toContain("SIGUSR1");
  });

  test("loses lines when he does not take them, and is told how many", async () => {
    const log = new RecentLog();
    const follower = log.follow(ALL)!;
    const many = 5000;
    for (let i = 0; i < many; i++)
      log.output({ pool: "www", pid: 1, byLeader: false, level: null, text: "y".repeat(500) });
    const lines = (await follower.next())!;
    const { lost } = JSON.parse(lines.at(-1)!) as { lost: number };
    expect(lost).toBeGreaterThan(0);
    expect(lines.length - 1 + lost).toBe(many);
    expect(lines.join("").length).toBeLessThan(300_000);
    // From there on he has everything again.
    log.output({ pool: "www", pid: 1, byLeader: false, level: null, text: "again" });
    expect(await follower.next()).toEqual([expect.stringContaining("again")]);
  });

  test("is told the end, and asked no more", async () => {
    const log = new RecentLog();
    const follower = log.follow(ALL)!;
    record(log, { type: "supervisor-stopped", ms: 1 });
    expect((await follower.next())![0]).toContain("supervisor-stopped");
    expect(await follower.next()).toEqual(['{"end":"stopped"}']);
    expect(await follower.next()).toBeNull();
  });

  test("has a place only while there is one", () => {
    const log = new RecentLog();
    const all = Array.from({ length: FOLLOWERS_MOST }, () => log.follow(ALL)!);
    expect(log.follow(ALL)).toBeNull();
    all[0]!.close();
    expect(log.follow(ALL)).not.toBeNull();
  });
});
