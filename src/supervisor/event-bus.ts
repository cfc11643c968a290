// The one way that news take: whoever has some emits it here, and it goes, with its time and its number,
// to everybody who has subscribed, in the order of the subscriptions. Nobody down in the house knows who
// listens.

import type { Emit, Event, EventRecord } from "../event.ts";
import { Fault } from "../fault.ts";
import { wallClock } from "../sys/clock.ts";

/** Hears of every event. What it throws is told to the others, and changes nothing for them. */
export type Subscriber = (record: EventRecord) => void;

export class EventBus {
  private readonly subscribers = new Set<Subscriber>();
  /** What was emitted while an earlier event was handed out: all hear everything in one order. */
  private readonly waiting: EventRecord[] = [];
  private last = 0;
  private isHandingOut = false;

  /** The returned function ends it. */
  subscribe(subscriber: Subscriber): () => void {
    this.subscribers.add(subscriber);
    return () => void this.subscribers.delete(subscriber);
  }

  /** Has come to every subscriber when it returns, unless one of them called it. Never throws. */
  readonly emit: Emit = (event: Event): void => {
    this.waiting.push({ number: ++this.last, time: wallClock(), event });
    if (this.isHandingOut) return;
    this.isHandingOut = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift())
      for (const subscriber of [...this.subscribers]) this.handTo(subscriber, next);
    this.isHandingOut = false;
  };

  private handTo(subscriber: Subscriber, record: EventRecord): void {
    try {
      subscriber(record);
    } catch (cause) {
      // Of a failure to hear of a failure there is nobody left to tell.
      if (record.event.type === "trouble") return;
      const fault = new Fault(`the event "${record.event.type}" was not taken in everywhere`, {
        hint: "this is an error in fcgivisor itself; please report it",
        cause,
      });
      this.emit({ type: "trouble", fault: fault.toJSON() });
    }
  }
}
