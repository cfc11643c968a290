// How a worker is asked to leave: one look at it in, one thing to do out. The rows are the promise
// that a request in hand is never cut and that a silent client never holds a drain.

import { describe, expect, test } from "bun:test";
import type { Activity } from "../../src/observe/activity.ts";
import { courtesyFor, type Courtesy, type DrainSight } from "../../src/worker/politeness.ts";

const AWAITED = { fd: 3, inode: "100", awaited: true };
const BUSY: Activity = { doing: "busy", connection: { ...AWAITED, awaited: false } };
const SILENT: Activity = { doing: "busy", connection: AWAITED };

/** A polite program, in its first request, seen for the first time, about which nothing is recorded. */
const PLAIN: DrainSight = {
  activity: BUSY,
  request: "unknown",
  whileBusy: "finishes-request",
  firstConnection: "100",
  elapsedMs: 0,
  signalledMs: null,
  silentMs: null,
  patienceMs: 5_000,
};

const IMPOLITE = { whileBusy: "ends-request" } as const;

interface Case {
  readonly title: string;
  readonly sight: Partial<DrainSight>;
  readonly step: Courtesy;
}

function rows(name: string, cases: readonly Case[]): void {
  describe(name, () => {
    for (const { title, sight, step } of cases) {
      test(`${title}: ${step}`, () => expect(courtesyFor({ ...PLAIN, ...sight })).toBe(step));
    }
  });
}

const GONE: Activity = { doing: "gone" };
const IDLE: Activity = { doing: "idle" };
const WORKING: Activity = { doing: "working" };
const STOPPED: Activity = { doing: "stopped" };
const UNKNOWN: Activity = { doing: "unknown" };

rows("gone", [
  { title: "nothing is left to do", sight: { activity: GONE }, step: "wait" },
  {
    title: "whatever it was",
    sight: { activity: GONE, ...IMPOLITE, elapsedMs: 1e6 },
    step: "wait",
  },
]);

rows("idle", [
  { title: "a polite program", sight: { activity: IDLE }, step: "signal" },
  {
    title: "one that a signal could hit in a request that comes just now",
    sight: { activity: IDLE, ...IMPOLITE },
    step: "freeze-and-look",
  },
  {
    title: "the signal is on its way",
    sight: { activity: IDLE, signalledMs: 99 },
    step: "wait",
  },
  {
    title: "the signal was lost in the window before accept",
    sight: { activity: IDLE, signalledMs: 100 },
    step: "signal",
  },
  {
    title: "the same, not polite",
    sight: { activity: IDLE, ...IMPOLITE, signalledMs: 100 },
    step: "freeze-and-look",
  },
]);

rows("busy in its first request", [
  { title: "a polite program is left alone, too", sight: {}, step: "wait" },
  { title: "a polite one, just before patience ends", sight: { elapsedMs: 4_999 }, step: "wait" },
  { title: "a polite one, when patience ends", sight: { elapsedMs: 5_000 }, step: "signal" },
  { title: "only once", sight: { elapsedMs: 9_000, signalledMs: 4_000 }, step: "wait" },
  {
    title: "one that the signal would cut, for ever",
    sight: { ...IMPOLITE, elapsedMs: 1e9 },
    step: "wait",
  },
]);

rows("busy in a later request", [
  { title: "a polite program", sight: { firstConnection: "99" }, step: "signal" },
  { title: "that was idle at first", sight: { firstConnection: null }, step: "signal" },
  { title: "not polite", sight: { firstConnection: "99", ...IMPOLITE }, step: "wait" },
  { title: "signalled before", sight: { firstConnection: "99", signalledMs: 5 }, step: "wait" },
]);

rows("busy, with a record of its own", [
  { title: "which shows no request", sight: { request: "none" }, step: "signal" },
  { title: "which shows a request", sight: { request: "in-hand" }, step: "wait" },
  {
    title: "which shows a request, patience over",
    sight: { request: "in-hand", elapsedMs: 5_000 },
    step: "signal",
  },
]);

const asked = { activity: SILENT, signalledMs: 50, elapsedMs: 9_000 };
rows("a silent client", [
  {
    title: "first the polite signal",
    sight: { activity: SILENT, silentMs: 1e6, elapsedMs: 100 },
    step: "wait",
  },
  {
    title: "certainly no request in hand, a moment early",
    sight: { ...asked, request: "none", silentMs: 999 },
    step: "wait",
  },
  {
    title: "certainly no request in hand",
    sight: { ...asked, request: "none", silentMs: 1_000 },
    step: "hang-up",
  },
  { title: "by guess, a moment early", sight: { ...asked, silentMs: 1_999 }, step: "wait" },
  { title: "by guess", sight: { ...asked, silentMs: 2_000 }, step: "hang-up" },
  {
    title: "which is in the middle of its request",
    sight: { ...asked, request: "in-hand", silentMs: 1e9 },
    step: "wait",
  },
  {
    title: "of a program that cannot be signalled while it has a connection",
    sight: { ...asked, ...IMPOLITE, signalledMs: null, silentMs: 2_000 },
    step: "hang-up",
  },
  { title: "that speaks again", sight: { ...asked, activity: BUSY, silentMs: null }, step: "wait" },
]);

rows("between requests", [
  { title: "a polite program", sight: { activity: WORKING }, step: "signal" },
  { title: "signalled before", sight: { activity: WORKING, signalledMs: 1e6 }, step: "wait" },
  { title: "not polite", sight: { activity: WORKING, ...IMPOLITE, elapsedMs: 1e9 }, step: "wait" },
]);

rows("stopped", [
  { title: "a polite program", sight: { activity: STOPPED }, step: "wake-and-signal" },
  { title: "signalled before", sight: { activity: STOPPED, signalledMs: 1e6 }, step: "wait" },
  { title: "not polite", sight: { activity: STOPPED, ...IMPOLITE }, step: "wait" },
]);

rows("not to be seen", [
  { title: "a polite program", sight: { activity: UNKNOWN }, step: "signal" },
  {
    title: "not polite, within its grace",
    sight: { activity: UNKNOWN, ...IMPOLITE, elapsedMs: 1_999 },
    step: "wait",
  },
  {
    title: "not polite, after its grace",
    sight: { activity: UNKNOWN, ...IMPOLITE, elapsedMs: 2_000 },
    step: "signal",
  },
  {
    title: "signalled before",
    sight: { activity: UNKNOWN, ...IMPOLITE, elapsedMs: 1e6, signalledMs: 1_000 },
    step: "wait",
  },
]);

test("no look at a program that a signal hurts while busy lets a plain signal go to it", () => {
  const seen: Activity[] = [GONE, IDLE, BUSY, SILENT, WORKING, STOPPED];
  for (const activity of seen) {
    for (const request of ["in-hand", "none", "unknown"] as const) {
      for (const silentMs of [null, 0, 1e9]) {
        for (const signalledMs of [null, 0, 1e9]) {
          const sight = { activity, request, silentMs, signalledMs, elapsedMs: 1e9 };
          const step = courtesyFor({ ...PLAIN, ...IMPOLITE, ...sight });
          expect(["wait", "freeze-and-look", "hang-up"], JSON.stringify(sight)).toContain(step);
        }
      }
    }
  }
});

test("a request that the record shows is never hung up on", () => {
  for (const whileBusy of ["finishes-request", "ends-request"] as const) {
    for (const signalledMs of [null, 0, 1e9]) {
      const sight: DrainSight = {
        ...PLAIN,
        activity: SILENT,
        whileBusy,
        signalledMs,
        request: "in-hand",
        silentMs: 1e9,
        elapsedMs: 1e9,
      };
      expect(courtesyFor(sight)).not.toBe("hang-up");
    }
  }
});
