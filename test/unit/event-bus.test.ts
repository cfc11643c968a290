// The event bus: everybody hears everything in one order, and nobody can hurt the others.

import { expect, test } from "bun:test";
import type { Event, EventRecord } from "../../src/event.ts";
import { EventBus } from "../../src/supervisor/event-bus.ts";

const STOPPED: Event = { type: "supervisor-stopped", ms: 5 };
const REOPENED: Event = { type: "log-reopened", file: "/var/log/f.log" };

/** A bus and what a subscriber of it has heard. */
function heardBus() {
  const bus = new EventBus();
  const heard: EventRecord[] = [];
  return { bus, heard, end: bus.subscribe((record) => heard.push(record)) };
}

test("each event has a time and a number that grow", () => {
  const { bus, heard } = heardBus();
  for (let i = 0; i < 3; i++) bus.emit(STOPPED);
  expect(heard.map(({ number }) => number)).toEqual([1, 2, 3]);
  const times = heard.map(({ time }) => time.getTime());
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(heard.map(({ event }) => event)).toEqual([STOPPED, STOPPED, STOPPED]);
});

test("what a subscriber emits comes to all after the event that it was emitted at", () => {
  const bus = new EventBus();
  const heard: string[] = [];
  bus.subscribe(({ event }) => event.type === "supervisor-stopped" && bus.emit(REOPENED));
  bus.subscribe(({ number, event }) => heard.push(`${number} ${event.type}`));
  bus.emit(STOPPED);
  expect(heard).toEqual(["1 supervisor-stopped", "2 log-reopened"]);
});

test("a subscriber that throws does not hurt the others, who are told", () => {
  const bus = new EventBus();
  const heard: Event[] = [];
  bus.subscribe(() => {
    throw new Error("no room");
  });
  bus.subscribe(({ event }) => heard.push(event));
  bus.emit(STOPPED);
  expect(heard.map(({ type }) => type)).toEqual(["supervisor-stopped", "trouble"]);
  expect(heard[1]).toMatchObject({ fault: { cause: "no room" } });
});

test("who has left hears nothing more", () => {
  const { bus, heard, end } = heardBus();
  bus.emit(STOPPED);
  end();
  bus.emit(STOPPED);
  expect(heard).toHaveLength(1);
});
