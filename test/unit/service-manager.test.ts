import { expect, test } from "bun:test";
import { Fault } from "../../src/fault.ts";
import { InheritedSockets, storeName } from "../../src/socket/inherited.ts";
import {
  failureLines,
  isReload,
  statusLine,
} from "../../src/supervisor/service-manager/messages.ts";
import { MessageQueue } from "../../src/supervisor/service-manager/message-queue.ts";
import { Pulse, watchdogInterval } from "../../src/supervisor/service-manager/watchdog.ts";
import { receiveDescriptors } from "../../src/sys/socket/listen-fds.ts";
import { monotonicMicroseconds } from "../../src/sys/monotonic.ts";
import { NotifySocket } from "../../src/sys/notify.ts";
import { readFileSync } from "node:fs";

test("the status line tells how many workers are there only where some are missing", () => {
  const standing = { pools: 2, workers: 8, wanted: 8, generation: 3 };
  expect(statusLine("serving", standing)).toBe("STATUS=serving: 2 pools, 8 workers, generation 3");
  expect(statusLine("serving", { ...standing, pools: 1, workers: 1 })).toBe(
    "STATUS=serving: 1 pool, 1 of 8 workers, generation 3",
  );
});

test("a failure is one line, with the errno from wherever it is", () => {
  const cause = Object.assign(new Error("bind: EADDRINUSE"), { errno: 98 });
  const part = new Fault("taken", { where: "127.0.0.1:9000", cause });
  expect(failureLines(new Fault("nothing works", { parts: [part], hint: "look" }))).toEqual([
    "STATUS=failed: nothing works; hint: look; 127.0.0.1:9000: taken; cause: bind: EADDRINUSE",
    "ERRNO=98",
  ]);
  const system = Object.assign(new Error("ENOENT: open"), { errno: -2 });
  expect(failureLines(new Fault("no", { cause: system }))).toContain("ERRNO=2");
  expect(failureLines(new Fault("no"))).toEqual(["STATUS=failed: no"]);
});

test("operations during which the manager waits", () => {
  expect(["reload", "restart", "upgrade", "logrotate", "start"].filter(isReload)).toEqual([
    "reload",
    "restart",
    "upgrade",
  ]);
});

test("a sign of life is due at half the time, and only from the process that is meant", () => {
  expect(watchdogInterval({ WATCHDOG_USEC: "30000000" }, 7)).toBe(15_000);
  expect(watchdogInterval({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" }, 7)).toBe(15_000);
  expect(watchdogInterval({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" }, 7)).toBeNull();
  for (const odd of [undefined, "", "0", "x", "-1"])
    expect(watchdogInterval({ WATCHDOG_USEC: odd }, 7)).toBeNull();
});

test("the pulse counts as gone when no beat has come for a while, and as back with the next", () => {
  const pulse = new Pulse();
  expect(pulse.isBeating(1, 0)).toBe(true);
  expect(pulse.isBeating(1, 5_000)).toBe(true);
  expect(pulse.isBeating(1, 5_001)).toBe(false);
  expect(pulse.isBeating(2, 9_000)).toBe(true);
});

test("messages keep their order while the manager does not read; old statuses give way", async () => {
  const sent: string[] = [];
  let full = true;
  const queue = new MessageQueue(
    { send: (text) => (full ? "later" : (sent.push(text), "sent")), close() {} },
    () => {},
  );
  queue.send(["STATUS=one"]);
  queue.send(["READY=1", "MAINPID=1"]);
  queue.send(["WATCHDOG=1"]);
  queue.send(["STATUS=two\nREADY=1"]);
  queue.send(["WATCHDOG=1"]);
  queue.send([]);
  full = false;
  queue.close();
  expect(sent).toEqual(["READY=1\nMAINPID=1", "STATUS=two READY=1", "WATCHDOG=1"]);
});

test("a manager that is gone is reported once, until it is back", () => {
  const reports: unknown[] = [];
  let gone = true;
  const queue = new MessageQueue(
    {
      send() {
        if (gone) throw new Error("ENOENT");
        return "sent";
      },
      close() {},
    },
    (error) => reports.push(error),
  );
  for (const text of ["A=1", "B=1"]) queue.send([text]);
  expect(reports).toHaveLength(1);
  gone = false;
  queue.send(["C=1"]);
  gone = true;
  queue.send(["D=1"]);
  expect(reports).toHaveLength(2);
  queue.close();
});

test("only a path or an abstract name is a way to a manager", () => {
  for (const odd of ["", "relative", "vsock:2:1", "/", "@", `/${"x".repeat(200)}`])
    expect(NotifySocket.open(odd)).toBeNull();
});

test("the monotonic clock is the machine's", () => {
  const before = Number(monotonicMicroseconds()) / 1e6;
  const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  // /proc/uptime counts suspended time too, so it is never behind, but for what it does not show.
  expect(before).toBeLessThan(uptime + 0.01);
  expect(monotonicMicroseconds()).toBeGreaterThan(0n);
  const first = monotonicMicroseconds();
  expect(monotonicMicroseconds()).toBeGreaterThanOrEqual(first);
});

test("descriptors are taken only by the process they are meant for, and the variables are gone after", () => {
  const env = { LISTEN_PID: "8", LISTEN_FDS: "2", LISTEN_FDNAMES: "a:b", OTHER: "1" };
  expect(receiveDescriptors(env, 7)).toEqual([]);
  expect(env as object).toEqual({ OTHER: "1" });
  for (const count of ["", "x", "-1", "1e3"])
    expect(receiveDescriptors({ LISTEN_PID: "7", LISTEN_FDS: count }, 7)).toEqual([]);
});

test("names in the store have no colon and nothing that is not printable", () => {
  expect(storeName("127.0.0.1:9000")).toBe("fcgivisor@127.0.0.1%3A9000");
  expect(storeName("/run/ä b%.sock")).toBe("fcgivisor@/run/%C3%A4%20b%25.sock");
  expect(storeName(`/run/${"😀".repeat(26)}`).length).toBeLessThanOrEqual(255);
});

test("names of an earlier program stand for their addresses; unknown ones are a fault", () => {
  const address = { kind: "inet", host: "127.0.0.1", port: 9000 } as const;
  const env = { FCGIVISOR_LISTEN_NAMES: JSON.stringify([["web", address]]) };
  const inherited = new InheritedSockets(env, 7);
  expect(inherited.makerOf(address)).toBe("systemd");
  expect(inherited.makerOf({ ...address, port: 9001 })).toBe("fcgivisor");
  expect(inherited.take(address)).toBeNull();
  expect(inherited.closeRest()).toEqual([]);
});
