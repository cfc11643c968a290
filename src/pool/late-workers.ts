// Workers of one generation that do not leave in time: those that are late at the same moment are told in
// one event, for a pool may have thousands.

import type { Emit, Event } from "../event.ts";
import { after } from "../sys/clock.ts";

type Late = Extract<Event, { type: "drain-escalated" }>;

/** Groups that drain together reach their deadlines within this. */
const TOGETHER_MS = 50;

/** The same `emit`, but that it keeps such events together. */
export function withLateTogether(emit: Emit): Emit {
  const waiting = new Map<Late["signal"], Late[]>();
  const tell = (signal: Late["signal"]) => {
    const late = waiting.get(signal)!;
    waiting.delete(signal);
    const [{ pool, afterMs }] = late as [Late, ...Late[]];
    if (late.length === 1) emit(late[0]!);
    else
      emit({ type: "drains-escalated", pool, pids: late.map(({ pid }) => pid), signal, afterMs });
  };
  return (event) => {
    if (event.type !== "drain-escalated") return emit(event);
    const late = waiting.get(event.signal);
    if (late !== undefined) return void late.push(event);
    waiting.set(event.signal, [event]);
    after(TOGETHER_MS, () => tell(event.signal));
  };
}
