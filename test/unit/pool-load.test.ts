// How the marks of a pool's load follow from one look after the other.

import { expect, test } from "bun:test";
import { afterLook, type Look, NO_LOAD } from "../../src/supervisor/watch/pool-load.ts";

const HOUR_MS = 3_600_000;
const QUIET: Look = {
  time: 10 * HOUR_MS,
  workers: 4,
  busy: 0,
  allBusy: false,
  queue: 0,
  queueFull: false,
  cpuMs: 0,
  requests: {},
};

function seen(...looks: readonly Partial<Look>[]) {
  return looks.reduce((load, look) => afterLook(load, { ...QUIET, ...look }), NO_LOAD);
}

test("the highest marks stay; a queue that is not told leaves its mark as it is", () => {
  const load = seen({ busy: 3, queue: 7 }, { busy: 1, queue: 2 }, { queue: null });
  expect(load).toMatchObject({ busyMost: 3, queueMost: 7 });
  expect(seen({ queue: null }).queueMost).toBeNull();
});

test("that all are busy, or the queue full, counts once for as long as it lasts", () => {
  const all = { busy: 4, allBusy: true, queueFull: true };
  expect(seen(all, all, {}, all)).toMatchObject({ allBusyTimes: 2, queueFullTimes: 2 });
  expect(seen(all, all)).toMatchObject({ allBusyNow: 2, queueFullNow: true });
  expect(seen(all, {})).toMatchObject({ allBusyNow: 0, queueFullNow: false });
});

test("by the hour: an hour for each in which there was a look, and no more than two days of them", () => {
  const later = { time: 11 * HOUR_MS + 5 };
  const { hours } = seen({ busy: 2, cpuMs: 30 }, { busy: 1, cpuMs: 20 }, { ...later, busy: 3 });
  expect(hours).toEqual([
    { hour: 10, busyMost: 2, queueMost: 0, looks: 2, allBusyLooks: 0, cpuMs: 50 },
    { hour: 11, busyMost: 3, queueMost: 0, looks: 1, allBusyLooks: 0, cpuMs: 0 },
  ]);
  const days = Array.from({ length: 100 }, (_, i) => ({ time: i * HOUR_MS }));
  expect(seen(...days).hours.map(({ hour }) => hour)).toEqual(
    Array.from({ length: 48 }, (_, i) => 52 + i),
  );
  expect(seen(...days).recent).toHaveLength(60);
});

test("what leaders count is added up, through their ends and looks that fail", () => {
  expect(seen({}).requests).toBeNull();
  expect(seen({ requests: { a: null } }).requests).toBeNull();
  const looks = [
    { a: 5 },
    { a: 7, b: 1 },
    { a: null, b: 4 },
    { a: 9, b: 4 },
    { b: 6 },
    {},
    { c: 1 },
  ];
  const sums = looks.map((_, i) => {
    return seen(...looks.slice(0, i + 1).map((requests) => ({ requests }))).requests;
  });
  expect(sums).toEqual([5, 8, 11, 13, 15, 15, 16]);
  // It begins again from 0, or somebody has written there.
  expect(seen({ requests: { a: 9 } }, { requests: { a: 2 } }).requests).toBe(9);
});

test("requests a second are those between two looks", () => {
  const rate = (...looks: readonly Partial<Look>[]) => seen(...looks).requestsPerSecond;
  const at = (seconds: number, requests: Look["requests"]) => ({
    time: QUIET.time + seconds * 1000,
    requests,
  });
  expect(rate(at(0, {}))).toBeNull();
  expect(rate(at(0, { a: 50 }))).toBeNull();
  expect(rate(at(0, { a: 50 }), at(2, { a: 75 }))).toBe(12.5);
  expect(rate(at(0, { a: 50 }), at(2, { a: 50 }))).toBe(0);
  // One that came up meanwhile has counted from 0.
  expect(rate(at(0, { a: 50 }), at(1, { a: 51, b: 9 }))).toBe(10);
  expect(rate(at(0, { a: 50 }), at(1, {}))).toBeNull();
});
