// The life of a group, state by event: every pair that the design means, and that all others change
// nothing. The expected table is written out here on its own, so that a slip in the real one shows.

import { expect, test } from "bun:test";
import {
  type GroupAction,
  type GroupEvent,
  type GroupState,
  LADDER,
  LIFECYCLE,
  transition,
} from "../../src/worker/lifecycle.ts";

const STATES: readonly GroupState[] = [
  "starting",
  "serving",
  "orphaned",
  "draining",
  "terminating",
  "killing",
  "gone",
];

const EVENTS: readonly GroupEvent[] = [
  "ready",
  "start-timeout",
  "workers-fail",
  "leader-ended",
  "all-ended",
  "drain",
  "stop",
  "deadline",
];

const MEANT: readonly (readonly [GroupState, GroupEvent, GroupState, GroupAction])[] = [
  ["starting", "ready", "serving", "nothing"],
  ["starting", "start-timeout", "terminating", "terminate"],
  ["starting", "workers-fail", "terminating", "terminate"],
  ["starting", "leader-ended", "terminating", "terminate"],
  ["starting", "all-ended", "gone", "finish"],
  ["starting", "drain", "draining", "ask"],
  ["starting", "stop", "terminating", "terminate"],
  ["serving", "leader-ended", "orphaned", "nothing"],
  ["serving", "all-ended", "gone", "finish"],
  ["serving", "drain", "draining", "ask"],
  ["serving", "stop", "terminating", "terminate"],
  ["orphaned", "all-ended", "gone", "finish"],
  ["orphaned", "drain", "draining", "ask"],
  ["orphaned", "stop", "terminating", "terminate"],
  ["draining", "all-ended", "gone", "finish"],
  ["draining", "stop", "terminating", "terminate"],
  ["draining", "deadline", "terminating", "terminate"],
  ["terminating", "all-ended", "gone", "finish"],
  ["terminating", "deadline", "killing", "kill"],
  ["killing", "all-ended", "gone", "finish"],
  ["killing", "deadline", "gone", "give-up"],
];

for (const state of STATES) {
  for (const event of EVENTS) {
    const row = MEANT.find(([from, what]) => from === state && what === event);
    const becomes = row === undefined ? "changes nothing" : `becomes ${row[2]}, ${row[3]}`;
    test(`${state}: ${event} ${becomes}`, () => {
      expect(transition(state, event)).toEqual(row === undefined ? null : [row[2], row[3]]);
    });
  }
}

test("the table has every state, and no event or state that these tests do not know", () => {
  expect(Object.keys(LIFECYCLE).toSorted()).toEqual(STATES.toSorted());
  const events = Object.values(LIFECYCLE).flatMap((row) => Object.keys(row));
  expect([...new Set(events)].toSorted()).toEqual(EVENTS.toSorted());
});

test("every state can reach gone", () => {
  for (const state of STATES) expect(reachable(state, EVENTS), state).toContain("gone");
});

test("every state but gone ends by deadlines alone once it is asked to leave", () => {
  for (const state of STATES.filter((one) => one !== "gone")) {
    const asked = transition(state, "stop")?.[0] ?? state;
    const path = reachable(asked, ["deadline"]);
    expect(path, state).toContain("killing");
  }
});

test("gone is the end, and nothing leaves a harsher state for a milder one", () => {
  expect(reachable("gone", EVENTS)).toEqual(["gone"]);
  const harshness: readonly GroupState[] = ["draining", "terminating", "killing", "gone"];
  for (const [at, state] of harshness.entries()) {
    const milder = STATES.filter((one) => harshness.indexOf(one) < at);
    const reached = reachable(state, EVENTS);
    expect(
      reached.filter((one) => milder.includes(one)),
      state,
    ).toEqual([]);
  }
});

test("each rung of the ladder lasts for a time, and sends what is harder than the one before", () => {
  expect(LADDER).toEqual({
    draining: { signal: null, ms: null },
    terminating: { signal: "SIGTERM", ms: 1000 },
    killing: { signal: "SIGKILL", ms: 5000 },
  });
});

/** All states that these events can lead to, the first one included. */
function reachable(from: GroupState, events: readonly GroupEvent[]): GroupState[] {
  const seen = new Set([from]);
  for (const state of seen) {
    for (const event of events) {
      const next = transition(state, event)?.[0];
      if (next !== undefined) seen.add(next);
    }
  }
  return [...seen];
}
