// The one scoreboard that all readers share: what each worker does, and since when, as seen from outside.
// It looks as often as its readers need, and one look serves all of them whose time has come; where a
// decision hangs on it, they ask for the moment. It decides nothing itself.

import { after, now } from "../sys/clock.ts";
import { bytesRead, processStat } from "../sys/proc/procfs.ts";
import { AcceptedSockets } from "./accepted.ts";
import { type Activity, activityOf, doingOf } from "./activity.ts";
import { requestIdentity } from "./request.ts";
import { History, Sample, type WorkerSet } from "./sample.ts";

/** Who wants to look again and again. */
export interface Reader {
  /** How often; asked anew at each look. */
  readonly everyMs: number;
  readonly look: (sample: Sample) => void;
}

export class Scoreboard {
  private readonly history = new History();
  /** When each looks next. */
  private readonly readers = new Map<Reader, number>();
  private running = false;
  private cancel: () => void = () => {};

  /** As it is at this moment. */
  now(): Sample {
    return new Sample(this.history, now());
  }

  /** What one worker does at this very moment: for who is about to act on it. */
  activityNow(pid: number, { listener }: WorkerSet): Activity {
    const stat = processStat(pid);
    return stat === null ? { doing: "gone" } : activityOf(stat, listener, new AcceptedSockets());
  }

  /** Whether a worker, stopped or not, is at this very moment in the request of this identity. */
  isIn(identity: string, pid: number, { listener, requestOf }: WorkerSet): boolean {
    const stat = processStat(pid);
    if (stat === null) return false;
    const activity = doingOf(stat, listener, new AcceptedSockets());
    if (activity.doing !== "busy") return false;
    const record = requestOf?.(pid) ?? null;
    return requestIdentity(activity.connection, record, () => bytesRead(pid)) === identity;
  }

  /** From now on the reader looks, while the scoreboard runs. */
  add(reader: Reader): void {
    this.readers.set(reader, nextLook(reader, now()));
    this.wait();
  }

  /** It looks no more, not even now, when others of the same moment still do. */
  remove(reader: Reader): void {
    this.readers.delete(reader);
  }

  start(): void {
    this.running = true;
    this.wait();
  }

  stop(): void {
    this.running = false;
    this.cancel();
  }

  private wait(): void {
    this.cancel();
    if (!this.running || this.readers.size === 0) return;
    const ms = Math.min(...this.readers.values()) - now();
    this.cancel = after(Math.max(0, ms), () => this.look());
  }

  private look(): void {
    const sample = this.now();
    try {
      for (const [reader, due] of [...this.readers]) {
        if (!this.running) return;
        if (due > sample.takenAt || !this.readers.has(reader)) continue;
        this.readers.set(reader, nextLook(reader, sample.takenAt));
        reader.look(sample);
      }
    } finally {
      this.wait();
    }
  }
}

/** On a grid that all readers share, so that their moments fall together. */
function nextLook({ everyMs }: Reader, time: number): number {
  return (Math.floor(time / everyMs) + 1) * everyMs;
}
