import { expect, test } from "bun:test";
import type { EndReason, Event, LongRequest, ProcessEnd } from "../../src/event.ts";
import { narrate } from "../../src/log/narrate.ts";
import { count, elapsed, list } from "../../src/log/words.ts";

const killed = (signal: string): ProcessEnd => ({ how: "signaled", signal });
const exited = (code: number): ProcessEnd => ({ how: "exited", code });

function groupEnded(end: ProcessEnd, reason: EndReason): Event {
  const who = { pool: "www", pid: 123, workers: 1, forks: false } as const;
  return { type: "group-ended", ...who, end, reason, uptimeMs: 2345 };
}

test.each([
  [0, "0 ms"],
  [0.4, "0 ms"],
  [999, "999 ms"],
  [999.7, "1 s"],
  [1000, "1 s"],
  [2345, "2.3 s"],
  [59_940, "59.9 s"],
  [59_960, "1 m"],
  [302_000, "5 m 2 s"],
  [3_599_400, "59 m 59 s"],
  [3_600_000, "1 h"],
  [11_400_000, "3 h 10 m"],
  [90_000_000, "1 d 1 h"],
])("%d ms are told as %s", (ms, text) => {
  expect(elapsed(ms)).toBe(text);
});

test("counts and lists read as people write them", () => {
  expect([count(1, "worker"), count(0, "worker"), count(4, "worker")]).toEqual([
    "1 worker",
    "0 workers",
    "4 workers",
  ]);
  expect([list([]), list([1]), list([1, 2]), list(["a", "b", "c"])]).toEqual([
    "none",
    "1",
    "1 and 2",
    "a, b and c",
  ]);
});

test("a worker that was killed is told with signal, age and what follows", () => {
  expect(narrate(groupEnded(killed("SIGTERM"), "crashed"))).toEqual({
    level: "warn",
    text: "worker 123 of pool www was killed by SIGTERM after 2.3 s and is being replaced",
  });
});

test("an end that somebody must look into says where to look", () => {
  const kill = narrate(groupEnded(killed("SIGKILL"), "crashed")).text;
  expect(kill).toStartWith(
    "worker 123 of pool www was killed by SIGKILL after 2.3 s and is being replaced; ",
  );
  expect(kill).toContain("out-of-memory killer");
  expect(narrate(groupEnded(killed("SIGSEGV"), "crashed")).text).toContain("rlimit_core");
});

test("an end that was asked for is no trouble, whatever its exit code or signal", () => {
  for (const reason of ["recycled", "drained", "stopped"] as const) {
    for (const end of [exited(0), exited(255), killed("SIGKILL")]) {
      const { level, text } = narrate(groupEnded(end, reason));
      expect(level).toBe("debug");
      expect(text).not.toContain(";");
    }
  }
});

test("a worker that did not start is an error, an unknown end is told as such", () => {
  expect(narrate(groupEnded(exited(127), "start-failed"))).toEqual({
    level: "error",
    text: "worker 123 of pool www exited with code 127 after 2.3 s before it was ready",
  });
  expect(narrate(groupEnded({ how: "vanished" }, "crashed")).text).toContain("unknown exit status");
});

test("a fault is told with its place, cause, hint and parts", () => {
  const event: Event = {
    type: "operation-failed",
    operation: "reload",
    ms: 1200,
    fault: {
      message: "two settings are wrong",
      hint: "nothing was touched",
      parts: [{ message: "unknown key", where: { file: "/etc/f.toml", line: 3 } }],
    },
  };
  expect(narrate(event)).toEqual({
    level: "error",
    text: [
      "reload failed after 1.2 s: two settings are wrong",
      "  hint: nothing was touched",
      "  /etc/f.toml:3: unknown key",
    ].join("\n"),
  });
});

test("an operation without detail ends without a dangling colon", () => {
  expect(narrate({ type: "operation-done", operation: "logrotate", ms: 3, detail: "" }).text).toBe(
    "logrotate done after 3 ms",
  );
  expect(narrate({ type: "operation-done", operation: "reload", ms: 3, detail: "www" }).text).toBe(
    "reload done after 3 ms: www",
  );
});

test("lost lines are an error with their number and the reason", () => {
  expect(narrate({ type: "log-lost", lines: 12, why: "ENOSPC: no space left on device" })).toEqual({
    level: "error",
    text: "12 lines were lost while the log could not be written: ENOSPC: no space left on device",
  });
  expect(narrate({ type: "log-lost", lines: 1, why: "EIO" }).text).toStartWith("1 line was lost");
});

// One of each, so that every sentence is built once; the table itself is complete by its type.
const LONG: LongRequest = {
  pool: "www",
  pid: 3,
  ageMs: 31_000,
  limitMs: 30_000,
  method: "GET",
  uri: "/report",
  script: "/srv/report",
  waiting: "reading from 10.0.0.5:3306 (recvfrom)",
  cpuMs: 20,
  stack: [],
  slowLog: "/var/log/slow.log",
};

const EVERY: readonly Event[] = [
  { type: "supervisor-starting", version: "1.2.3", pid: 1, config: null },
  { type: "supervisor-ready", pools: 1, workers: 4, ms: 30 },
  { type: "supervisor-stopping", operation: "stop", by: "SIGTERM" },
  { type: "supervisor-stopping", operation: "quit", by: "root" },
  { type: "supervisor-stopped", ms: 30 },
  { type: "config-warning", fault: { message: "user is ignored" } },
  { type: "listening", pools: ["a", "b"], address: "127.0.0.1:9000" },
  { type: "listener-changed", address: "/run/a.sock", what: "backlog 128" },
  { type: "listener-closed", address: "/run/a.sock" },
  { type: "group-started", pool: "www", pid: 2, generation: 1, workers: 4, forks: true },
  { type: "group-ready", pool: "www", pid: 2, ms: 30 },
  groupEnded(exited(1), "crashed"),
  { type: "member-ended", pool: "www", pid: 3, leader: 2, end: exited(0), unasked: false },
  { type: "orphans-left", pool: "www", leader: 2, pids: [3, 4] },
  { type: "leader-signalled", pool: "www", leader: 2, signal: "SIGQUIT" },
  { type: "backing-off", pool: "www", failures: 3, delayMs: 400, why: "exited with code 1" },
  { type: "pool-recovered", pool: "www", failures: 3 },
  { type: "generation-ready", pool: "www", generation: 2, workers: 4, ms: 30 },
  { type: "generation-failed", pool: "www", generation: 2, fault: { message: "no such file" } },
  { type: "drain-started", pool: "www", generation: 1, workers: 4 },
  { type: "drain-escalated", pool: "www", pid: 3, signal: "SIGTERM", afterMs: 30_000 },
  { type: "worker-stuck", pool: "www", pid: 3, state: "D", where: "nfs_wait" },
  { type: "worker-stuck", pool: "www", pid: 3, state: "T", where: null },
  { type: "worker-stopped", pool: "www", pid: 3, resumesInMs: 10_000 },
  { type: "worker-resumed", pool: "www", pid: 3 },
  { type: "drain-finished", pool: "www", generation: 1, ms: 30 },
  { type: "request-slow", isAgain: false, ...LONG },
  { type: "request-slow", isAgain: true, ...LONG, method: "", uri: "", script: "", slowLog: null },
  { type: "request-timeout", ...LONG },
  { type: "operation-started", operation: "reload", by: "root", detail: "" },
  { type: "operation-done", operation: "reload", ms: 30, detail: "" },
  { type: "operation-failed", operation: "reload", ms: 30, fault: { message: "broken" } },
  { type: "signal-ignored", signal: "SIGUSR2", use: "fcgivisor reload" },
  { type: "signal-received", signal: "SIGTERM" },
  { type: "log-reopened", file: "/var/log/f.log" },
  { type: "log-lost", lines: 2, why: "EIO" },
  { type: "trouble", fault: { message: "the state file cannot be written" } },
];

test.each(EVERY.map((event) => [event.type, event] as const))(
  "%s becomes one plain sentence",
  (_, event) => {
    const { text } = narrate(event);
    expect(text).not.toMatch(/undefined|null|\[object|NaN|PHP|\n/);
    expect(text).not.toMatch(/[.:;,]$|  | ,/);
    if ("pool" in event) expect(text).toContain(`pool ${event.pool}`);
    if ("pid" in event) expect(text).toContain(String(event.pid));
  },
);
