// How a worker is asked to leave: one look at it in, one thing to do out. The rows are the promise
// that a request in flight is never cut and that a silent client never holds a drain.

import { describe, expect, test } from "bun:test";
import type { Activity } from "../../src/observe/activity.ts";
import { stopStep, type StopStep, type StopSnapshot } from "../../src/worker/stop-policy.ts";

const AWAITED = { fd: 3, inode: "100", awaited: true };
const BUSY: Activity = { doing: "busy", connection: { ...AWAITED, awaited: false } };
const SILENT: Activity = { doing: "busy", connection: AWAITED };

/** A program that finishes its request, in its first, seen for the first time, about which nothing is recorded. */
const PLAIN: StopSnapshot = {
  activity: BUSY,
  request: "unknown",
  whileBusy: "finishes-request",
  firstConnection: "100",
  elapsedMs: 0,
  signalledMs: null,
  silentMs: null,
  patienceMs: 5_000,
};

const CUTS = { whileBusy: "ends-request" } as const;

interface Case {
  readonly title: string;
  readonly snapshot: Partial<StopSnapshot>;
  readonly step: StopStep;
}

function rows(name: string, cases: readonly Case[]): void {
  describe(name, () => {
    for (const { title, snapshot, step } of cases) {
      test(`${title}: ${step}`, () => expect(stopStep({ ...PLAIN, ...snapshot })).toBe(step));
    }
  });
}

const GONE: Activity = { doing: "gone" };
const IDLE: Activity = { doing: "idle", inAccept: true };
const WORKING: Activity = { doing: "working" };
const STOPPED: Activity = { doing: "stopped" };
const UNKNOWN: Activity = { doing: "unknown" };

rows("gone", [
  { title: "nothing is left to do", snapshot: { activity: GONE }, step: "wait" },
  {
    title: "whatever it was",
    snapshot: { activity: GONE, ...CUTS, elapsedMs: 1e6 },
    step: "wait",
  },
]);

rows("idle", [
  { title: "a program that finishes its request", snapshot: { activity: IDLE }, step: "signal" },
  {
    title: "one that a signal could hit in a request that comes just now",
    snapshot: { activity: IDLE, ...CUTS },
    step: "freeze-and-look",
  },
  {
    title: "the signal is on its way",
    snapshot: { activity: IDLE, signalledMs: 99 },
    step: "wait",
  },
  {
    title: "the signal was lost in the window before accept",
    snapshot: { activity: IDLE, signalledMs: 100 },
    step: "signal",
  },
  {
    title: "the same, and the signal would cut",
    snapshot: { activity: IDLE, ...CUTS, signalledMs: 100 },
    step: "freeze-and-look",
  },
]);

rows("busy in its first request", [
  { title: "a program that finishes its request is left alone, too", snapshot: {}, step: "wait" },
  {
    title: "one that finishes its request, just before patience ends",
    snapshot: { elapsedMs: 4_999 },
    step: "wait",
  },
  {
    title: "one that finishes its request, when patience ends",
    snapshot: { elapsedMs: 5_000 },
    step: "signal",
  },
  { title: "only once", snapshot: { elapsedMs: 9_000, signalledMs: 4_000 }, step: "wait" },
  {
    title: "one that the signal would cut, for ever",
    snapshot: { ...CUTS, elapsedMs: 1e9 },
    step: "wait",
  },
]);

rows("busy in a later request", [
  {
    title: "a program that finishes its request",
    snapshot: { firstConnection: "99" },
    step: "signal",
  },
  { title: "that was idle at first", snapshot: { firstConnection: null }, step: "signal" },
  {
    title: "one that the signal would cut",
    snapshot: { firstConnection: "99", ...CUTS },
    step: "wait",
  },
  { title: "signalled before", snapshot: { firstConnection: "99", signalledMs: 5 }, step: "wait" },
]);

rows("busy, with a record of its own", [
  { title: "which shows no request", snapshot: { request: "none" }, step: "signal" },
  { title: "which shows a request", snapshot: { request: "in-flight" }, step: "wait" },
  {
    title: "which shows a request, patience over",
    snapshot: { request: "in-flight", elapsedMs: 5_000 },
    step: "signal",
  },
]);

const asked = { activity: SILENT, signalledMs: 50, elapsedMs: 9_000 };
rows("a silent client", [
  {
    title: "first the signal",
    snapshot: { activity: SILENT, silentMs: 1e6, elapsedMs: 100 },
    step: "wait",
  },
  {
    title: "certainly no request in flight, a moment early",
    snapshot: { ...asked, request: "none", silentMs: 999 },
    step: "wait",
  },
  {
    title: "certainly no request in flight",
    snapshot: { ...asked, request: "none", silentMs: 1_000 },
    step: "hang-up",
  },
  { title: "by guess, a moment early", snapshot: { ...asked, silentMs: 1_999 }, step: "wait" },
  { title: "by guess", snapshot: { ...asked, silentMs: 2_000 }, step: "hang-up" },
  {
    title: "which is in the middle of its request",
    snapshot: { ...asked, request: "in-flight", silentMs: 1e9 },
    step: "wait",
  },
  {
    title: "of a program that cannot be signalled while it has a connection",
    snapshot: { ...asked, ...CUTS, signalledMs: null, silentMs: 2_000 },
    step: "hang-up",
  },
  {
    title: "that speaks again",
    snapshot: { ...asked, activity: BUSY, silentMs: null },
    step: "wait",
  },
]);

rows("between requests", [
  { title: "a program that finishes its request", snapshot: { activity: WORKING }, step: "signal" },
  { title: "signalled before", snapshot: { activity: WORKING, signalledMs: 1e6 }, step: "wait" },
  {
    title: "it has answered, and works on behind that",
    snapshot: { activity: WORKING, request: "in-flight", elapsedMs: 4_999 },
    step: "wait",
  },
  {
    title: "the same, for long",
    snapshot: { activity: WORKING, request: "in-flight", elapsedMs: 5_000 },
    step: "signal",
  },
  {
    title: "one that the signal would cut",
    snapshot: { activity: WORKING, ...CUTS, elapsedMs: 1e9 },
    step: "wait",
  },
]);

rows("stopped", [
  {
    title: "a program that finishes its request",
    snapshot: { activity: STOPPED },
    step: "wake-and-signal",
  },
  { title: "signalled before", snapshot: { activity: STOPPED, signalledMs: 1e6 }, step: "wait" },
  {
    title: "one that the signal would cut",
    snapshot: { activity: STOPPED, ...CUTS },
    step: "wait",
  },
]);

rows("not to be seen", [
  { title: "a program that finishes its request", snapshot: { activity: UNKNOWN }, step: "signal" },
  {
    title: "one that the signal would cut, within its grace",
    snapshot: { activity: UNKNOWN, ...CUTS, elapsedMs: 1_999 },
    step: "wait",
  },
  {
    title: "one that the signal would cut, after its grace",
    snapshot: { activity: UNKNOWN, ...CUTS, elapsedMs: 2_000 },
    step: "signal",
  },
  {
    title: "signalled before",
    snapshot: { activity: UNKNOWN, ...CUTS, elapsedMs: 1e6, signalledMs: 1_000 },
    step: "wait",
  },
]);

test("no look at a program that a signal hurts while busy lets a plain signal go to it", () => {
  const seen: Activity[] = [GONE, IDLE, BUSY, SILENT, WORKING, STOPPED];
  for (const activity of seen) {
    for (const request of ["in-flight", "none", "unknown"] as const) {
      for (const silentMs of [null, 0, 1e9]) {
        for (const signalledMs of [null, 0, 1e9]) {
          const snapshot = { activity, request, silentMs, signalledMs, elapsedMs: 1e9 };
          const step = stopStep({ ...PLAIN, ...CUTS, ...snapshot });
          expect(["wait", "freeze-and-look", "hang-up"], JSON.stringify(snapshot)).toContain(step);
        }
      }
    }
  }
});

test("a request that the record shows is never hung up on", () => {
  for (const whileBusy of ["finishes-request", "ends-request"] as const) {
    for (const signalledMs of [null, 0, 1e9]) {
      const snapshot: StopSnapshot = {
        ...PLAIN,
        activity: SILENT,
        whileBusy,
        signalledMs,
        request: "in-flight",
        silentMs: 1e9,
        elapsedMs: 1e9,
      };
      expect(stopStep(snapshot)).not.toBe("hang-up");
    }
  }
});
