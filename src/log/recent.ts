// What the log has said last, in memory: for `logs` and `events`, and for the next program of an upgrade. It is
// bounded by kind, so that neither what workers write nor what happens all day pushes out what matters. Who
// follows it and does not keep up loses lines and is told how many; nobody waits for him.

import { randomUUID } from "node:crypto";
import type { Event, EventRecord, OutputLine } from "../event.ts";
import { wallClock } from "../sys/clock.ts";
import { jsonText } from "./escape.ts";
import { narrate } from "./narrate.ts";
import { eventFields, outputFields } from "./record.ts";
import type { LogLevel } from "./settings.ts";

const LEVELS: readonly LogLevel[] = ["debug", "notice", "warn", "error", "alert"];

type Kind = "news" | "debug" | "output";

export interface RecentLine {
  /** Grows by one with every line, whatever kind it is of; goes on through an upgrade. */
  readonly number: number;
  /** By the wall clock, in ms. */
  readonly time: number;
  readonly kind: Kind;
  readonly level: LogLevel;
  /** The pools it is about. */
  readonly pools: readonly string[];
  /** An object, without a line end. */
  readonly json: string;
}

export interface Wanted {
  /** The least severe; worker output comes whatever the level, as in the log. */
  readonly level: LogLevel;
  readonly output: boolean;
  /** null = all, and what is of no pool. */
  readonly pool: string | null;
  /** No earlier ones, in ms of the wall clock. */
  readonly since?: number;
  /** Only those with a higher number. */
  readonly after?: number;
  /** Of what there is already, at most so many, the last ones. */
  readonly last?: number;
}

/** What goes through an upgrade. */
export interface RecentSnapshot {
  readonly id: string;
  readonly number: number;
  readonly lines: readonly RecentLine[];
}

const BOUNDS: Readonly<Record<Kind, { readonly lines: number; readonly characters: number }>> = {
  news: { lines: 2000, characters: 512 * 1024 },
  debug: { lines: 2000, characters: 256 * 1024 },
  output: { lines: 5000, characters: 1024 * 1024 },
};
/** Characters that may wait for one who follows. */
const PENDING_MOST = 256 * 1024;
/** So many may follow at once. */
export const FOLLOWERS_MOST = 32;

export class RecentLog {
  /** Tells these numbers from those of another supervisor. */
  readonly id: string;
  private number: number;
  private readonly kept: Readonly<Record<Kind, Bounded>>;
  private readonly followers = new Set<Follower>();

  /** `before`: the snapshot of the program before an upgrade; what is no snapshot counts as none. */
  constructor(before?: unknown) {
    const { id, number, lines } = isSnapshot(before) ? before : EMPTY;
    this.id = id === "" ? randomUUID() : id;
    this.number = number;
    this.kept = {
      news: new Bounded(BOUNDS.news),
      debug: new Bounded(BOUNDS.debug),
      output: new Bounded(BOUNDS.output),
    };
    for (const line of lines) this.kept[line.kind].push(line);
  }

  get snapshot(): RecentSnapshot {
    return { id: this.id, number: this.number, lines: this.all };
  }

  record({ time, event }: EventRecord): void {
    const narration = narrate(event);
    const { level } = narration;
    const kind = level === "debug" ? "debug" : "news";
    this.add(kind, time, level, poolsOf(event), eventFields(time, narration, event));
    if (event.type === "supervisor-stopped") this.end();
  }

  output(line: OutputLine, time = wallClock()): void {
    this.add("output", time, "notice", [line.pool], outputFields(time, line));
  }

  /** What there is, in order. */
  select(wanted: Wanted): RecentLine[] {
    const found = this.all.filter((line) => isWanted(line, wanted));
    return wanted.last === undefined ? found : found.slice(Math.max(0, found.length - wanted.last));
  }

  /** What there is and what comes, until it is closed or the supervisor has stopped; null: too many follow. */
  follow(wanted: Wanted): Follower | null {
    if (this.followers.size >= FOLLOWERS_MOST) return null;
    const follower: Follower = new Follower(wanted, this.select(wanted), () =>
      this.followers.delete(follower),
    );
    this.followers.add(follower);
    return follower;
  }

  private get all(): RecentLine[] {
    const { news, debug, output } = this.kept;
    const lines = [...news.lines, ...debug.lines, ...output.lines];
    return lines.sort((a, b) => a.number - b.number);
  }

  private add(
    kind: Kind,
    time: Date,
    level: LogLevel,
    pools: readonly string[],
    fields: object,
  ): void {
    const number = ++this.number;
    const json = jsonText({ number, ...fields });
    const line: RecentLine = { number, time: time.getTime(), kind, level, pools, json };
    this.kept[kind].push(line);
    for (const follower of this.followers) follower.hear(line);
  }

  private end(): void {
    for (const follower of this.followers) follower.end();
  }
}

const EMPTY: RecentSnapshot = { id: "", number: 0, lines: [] };

/** The last of what is pushed. */
class Bounded {
  readonly lines: RecentLine[] = [];
  private readonly most: { readonly lines: number; readonly characters: number };
  private characters = 0;

  constructor(most: Bounded["most"]) {
    this.most = most;
  }

  push(line: RecentLine): void {
    this.lines.push(line);
    this.characters += line.json.length;
    while (this.lines.length > this.most.lines || this.characters > this.most.characters)
      this.characters -= this.lines.shift()!.json.length;
  }
}

/** One who follows. */
export class Follower {
  private readonly wanted: Wanted;
  private readonly onClose: () => void;
  private waiting: string[];
  private pending = 0;
  private lost = 0;
  private state: "open" | "ending" | "closed" = "open";
  private wake: () => void = () => {};

  constructor(wanted: Wanted, there: readonly RecentLine[], onClose: () => void) {
    this.wanted = wanted;
    this.waiting = there.map(({ json }) => json);
    this.onClose = onClose;
  }

  hear(line: RecentLine): void {
    if (this.state !== "open" || !isWanted(line, this.wanted)) return;
    // From the first one that is lost on, so that the gap is one, and stands where it is told.
    if (this.lost > 0 || this.pending + line.json.length > PENDING_MOST) {
      this.lost++;
    } else {
      this.waiting.push(line.json);
      this.pending += line.json.length;
    }
    this.wake();
  }

  /** Lines that have come since it was asked last, as soon as there is one; null when there will be none. */
  async next(): Promise<readonly string[] | null> {
    while (this.waiting.length === 0 && this.lost === 0) {
      if (this.state === "closed") return null;
      if (this.state === "ending") return this.lastLine();
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    const lines = this.lost === 0 ? this.waiting : [...this.waiting, jsonText({ lost: this.lost })];
    [this.waiting, this.pending, this.lost] = [[], 0, 0];
    return lines;
  }

  /** The supervisor has stopped: nothing more comes. */
  end(): void {
    this.state = "ending";
    this.wake();
  }

  /** Nobody listens any more. */
  close(): void {
    this.state = "closed";
    this.waiting = [];
    this.onClose();
    this.wake();
  }

  /** Whoever follows can tell the end from a connection that broke. */
  private lastLine(): readonly string[] {
    this.close();
    return [END_LINE];
  }
}

/** The last line for one who follows, when the supervisor has stopped. */
export const END_LINE = jsonText({ end: "stopped" });

function isWanted(line: RecentLine, { level, output, pool, since, after }: Wanted): boolean {
  if (line.kind === "output" ? !output : LEVELS.indexOf(line.level) < LEVELS.indexOf(level))
    return false;
  if (pool !== null && !line.pools.includes(pool)) return false;
  return line.time >= (since ?? 0) && line.number > (after ?? 0);
}

function poolsOf(event: Event): readonly string[] {
  if ("pools" in event && Array.isArray(event.pools)) return event.pools as readonly string[];
  return "pool" in event ? [event.pool] : [];
}

function isSnapshot(value: unknown): value is RecentSnapshot {
  const snapshot = value as RecentSnapshot | null | undefined;
  return (
    typeof snapshot?.id === "string" &&
    Number.isInteger(snapshot.number) &&
    Array.isArray(snapshot.lines) &&
    snapshot.lines.every(isLine)
  );
}

function isLine(line: Partial<RecentLine> | null): boolean {
  return (
    Number.isInteger(line?.number) &&
    Number.isFinite(line?.time) &&
    Object.hasOwn(BOUNDS, line?.kind ?? "") &&
    LEVELS.includes(line?.level as LogLevel) &&
    Array.isArray(line?.pools) &&
    typeof line?.json === "string"
  );
}
