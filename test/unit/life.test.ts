// The ladder from graceful to KILL as a set of processes goes up it: what they are sent, in which order,
// what is told of it, and that it ends with the last of them. The processes are made up.

import { expect, test } from "bun:test";
import type { Event } from "../../src/event.ts";
import { Life } from "../../src/worker/life.ts";

/** Two processes, and what each signal does to them. */
function processes(
  onSignal: (name: string, living: Set<number>) => void,
  { drainTimeoutMs = 600_000, told = true } = {},
) {
  const sent: string[] = [];
  const events: Event[] = [];
  const living = new Set([11, 12]);
  let goesOn: (() => boolean) | null = null;
  const life = new Life(
    "serving",
    {
      living: () => [...living],
      signal: (name) => {
        if (sent.at(-1) !== name) sent.push(name);
        onSignal(name, living);
      },
      ask: (more) => void (goesOn = more),
      drainTimeoutMs,
      tell: told ? { pool: "www", emit: (event) => events.push(event) } : null,
    },
    { onStuck: () => expect.unreachable("nothing is stuck") },
  );
  return { life, living, sent, events, asked: () => goesOn?.() ?? null };
}

/** They leave on this signal. */
const on = (obeyed: string) => (name: string, living: Set<number>) => {
  if (name === obeyed) living.clear();
};

const late = (signal: string) =>
  [11, 12].map((pid) => ({
    type: "drain-escalated" as const,
    pool: "www",
    pid,
    signal,
    afterMs: expect.any(Number) as number,
  }));

test("what drains is asked, gets no signal, and is gone when the last has left", async () => {
  const { life, living, sent, events, asked } = processes(on("nothing"));
  life.dispatch("drain");
  expect(life.state).toBe("draining");
  expect(life.draining!.leftMs).toBeGreaterThan(0);
  expect(asked()).toBe(true);
  living.delete(11);
  living.delete(12);
  await life.gone;
  expect([life.state, asked(), life.draining]).toEqual(["gone", false, null]);
  expect([sent, events]).toEqual([[], []]);
});

test("when the time is over: TERM, and that is told", async () => {
  const { life, sent, events, asked } = processes(on("SIGTERM"), { drainTimeoutMs: 0 });
  life.dispatch("drain");
  await life.gone;
  expect(asked()).toBe(false);
  expect(sent).toEqual(["SIGTERM", "SIGCONT"]);
  expect(events).toEqual(late("SIGTERM"));
});

test("what ignores TERM gets KILL, and that is told", async () => {
  const { life, sent, events } = processes(on("SIGKILL"), { drainTimeoutMs: 0 });
  life.dispatch("drain");
  await life.gone;
  expect(sent).toEqual(["SIGTERM", "SIGCONT", "SIGKILL", "SIGCONT"]);
  expect(events).toEqual([...late("SIGTERM"), ...late("SIGKILL")]);
});

test("a stop asks nobody, sends TERM at once, and calls nobody late", async () => {
  const { life, sent, events, asked } = processes(on("SIGKILL"));
  life.dispatch("stop");
  await life.gone;
  expect(asked()).toBeNull();
  expect(sent).toEqual(["SIGTERM", "SIGCONT", "SIGKILL", "SIGCONT"]);
  expect(events).toEqual([]);
});

test("a stop ends the patience with what drains", async () => {
  const { life, sent, events, asked } = processes(on("SIGTERM"));
  life.dispatch("drain");
  life.dispatch("stop");
  await life.gone;
  expect(asked()).toBe(false);
  expect(sent).toEqual(["SIGTERM", "SIGCONT"]);
  expect(events).toEqual([]);
});

test("signals go first: nothing is looked at before those of others have gone out, too", async () => {
  const order: string[] = [];
  const lives = ["a", "b"].map((name) => {
    let there = true;
    return new Life(
      "serving",
      {
        living: () => {
          if (there) order.push(`look at ${name}`);
          return there ? [1] : [];
        },
        signal: (signal) => {
          order.push(`${signal} to ${name}`);
          there = false;
        },
        ask: () => {},
        drainTimeoutMs: 0,
        tell: null,
      },
      { onSignal: () => order.push(`count of ${name}`) },
    );
  });
  for (const life of lives) life.dispatch("stop");
  await Promise.all(lives.map(({ gone }) => gone));
  expect(order).toEqual([
    "SIGTERM to a",
    "SIGCONT to a",
    "SIGTERM to b",
    "SIGCONT to b",
    "count of a",
    "count of b",
  ]);
});

test("what was there before a signal is told to who counts", async () => {
  const counts: unknown[] = [];
  const living = new Set([11, 12]);
  const life = new Life(
    "serving",
    {
      living: () => [...living],
      signal: (name) => {
        living.delete(11);
        if (name === "SIGKILL") living.clear();
      },
      ask: () => {},
      drainTimeoutMs: 0,
      tell: null,
    },
    { onSignal: (...what) => counts.push(what) },
  );
  life.dispatch("drain");
  await life.gone;
  expect(counts).toEqual([
    ["SIGTERM", [11, 12]],
    ["SIGKILL", [12]],
  ]);
});

test("what is forked meanwhile is killed as well", async () => {
  let kills = 0;
  const { life } = processes((name, living) => {
    if (name !== "SIGKILL") return;
    living.clear();
    if (++kills < 3) living.add(100 + kills);
  });
  life.dispatch("stop");
  await life.gone;
  expect(kills).toBe(3);
});

test("a set that is empty is gone at once", async () => {
  const { life, living } = processes(on("nothing"));
  living.clear();
  life.dispatch("stop");
  expect(life.state).toBe("gone");
  await life.gone;
});

test("looks that throw are told once, and neither signal nor KILL is kept back by them", async () => {
  const sent: string[] = [];
  const events: Event[] = [];
  const fail = () => {
    throw new Error("cannot look");
  };
  let ended = false;
  const life = new Life(
    "serving",
    {
      living: () => (ended ? [] : fail()),
      signal: (name) => {
        sent.push(name);
        ended ||= name === "SIGKILL";
      },
      ask: fail,
      drainTimeoutMs: 0,
      tell: { pool: "www", emit: (event) => events.push(event) },
    },
    { onSignal: fail, onGone: fail },
  );
  life.dispatch("drain");
  await life.gone;
  expect(sent.filter((name) => name !== "SIGCONT").slice(0, 2)).toEqual(["SIGTERM", "SIGKILL"]);
  expect(events.map(({ type }) => type)).toEqual(["trouble"]);
});
