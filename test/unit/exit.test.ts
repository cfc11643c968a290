// What the end of a group means: how the process ended, in which state it was, and whether it had
// come as far as accept before.

import { expect, test } from "bun:test";
import type { EndReason, ProcessEnd } from "../../src/event.ts";
import { endReason, type EndFacts } from "../../src/worker/exit.ts";

const ZERO: ProcessEnd = { how: "exited", code: 0 };
const THREE: ProcessEnd = { how: "exited", code: 3 };
const SEGV: ProcessEnd = { how: "signaled", signal: "SIGSEGV" };
const VANISHED: ProcessEnd = { how: "vanished" };
const ALL = [ZERO, THREE, SEGV, VANISHED];

const SERVED: EndFacts = {
  end: ZERO,
  state: "serving",
  wasReady: true,
  timedOut: false,
  recycles: false,
  forks: true,
  wasAccepting: true,
  wasWaitedFor: false,
};

function reasons(facts: Partial<EndFacts>): EndReason[] {
  return ALL.map((end) => endReason({ ...SERVED, ...facts, end }));
}

test("a worker that drains has drained, however it ends", () => {
  for (const wasReady of [true, false]) {
    for (const recycles of [true, false]) {
      const facts = { state: "draining", wasReady, recycles } as const;
      expect(reasons(facts)).toEqual(["drained", "drained", "drained", "drained"]);
    }
  }
});

test("one that was stopped was stopped, even before it came up", () => {
  for (const state of ["terminating", "killing"] as const) {
    for (const recycles of [true, false]) {
      for (const wasReady of [true, false])
        expect(new Set(reasons({ state, recycles, wasReady }))).toEqual(new Set(["stopped"]));
    }
  }
});

test("of its own accord: exit 0 is an end, anything else a crash", () => {
  for (const state of ["serving", "orphaned"] as const) {
    expect(reasons({ state })).toEqual(["ended", "crashed", "crashed", "crashed"]);
  }
});

test("exit 0 of a program that counts its requests is a recycle, seen ready or not", () => {
  expect(reasons({ recycles: true })).toEqual(["recycled", "crashed", "crashed", "crashed"]);
  expect(reasons({ recycles: true, wasReady: false, state: "starting" })).toEqual([
    "recycled",
    "start-failed",
    "start-failed",
    "start-failed",
  ]);
});

test("an end before accept is a failed start", () => {
  const facts = { state: "starting", wasReady: false } as const;
  expect(new Set(reasons(facts))).toEqual(new Set(["start-failed"]));
});

test("exit 0 of a program that has reached accept is a recycle; before, it may be one if somebody waited", () => {
  const alone = { forks: false } as const;
  expect(reasons(alone)).toEqual(["recycled", "crashed", "crashed", "crashed"]);
  const select = { ...alone, wasAccepting: false } as const;
  expect(reasons(select)).toEqual(["unproven", "crashed", "crashed", "crashed"]);
  const unseen = { ...select, wasReady: false, state: "starting" } as const;
  expect(reasons({ ...unseen, wasWaitedFor: true })).toEqual([
    "unproven",
    "start-failed",
    "start-failed",
    "start-failed",
  ]);
  expect(new Set(reasons(unseen))).toEqual(new Set(["start-failed"]));
});
