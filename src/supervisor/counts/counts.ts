// What has happened since the start, counted: how workers came and went, what went wrong, how operations ended.
// Hears every event, and knows nothing else. The counts go on through an upgrade.

import type { Event, EventRecord } from "../../event.ts";
import { narrate } from "../../log/narrate.ts";
import { type Durations, NO_DURATIONS, withDuration } from "./durations.ts";
import { afterEvent, NO_COUNTS, type PoolCounts } from "./pool-counts.ts";

/** How often an operation came to this end, and how long it took. */
export interface OperationCount {
  readonly operation: string;
  readonly result: "done" | "failed";
  readonly durations: Durations;
}

export interface LastOperation {
  /** As RFC 3339 has it, in UTC. */
  readonly at: string;
  readonly result: "done" | "failed";
  readonly ms: number;
  /** Why it failed. */
  readonly message: string | null;
}

export interface CountsSnapshot {
  readonly pools: readonly (readonly [string, PoolCounts])[];
  readonly operations: readonly OperationCount[];
  readonly lastReload: LastOperation | null;
  readonly emergencies: number;
}

export class Counts {
  private readonly pools: Map<string, PoolCounts>;
  private counted: readonly OperationCount[];
  private reload: LastOperation | null;
  private emergencyCount: number;
  /** Workers that request_timeout ends: one that a leader forked just vanishes then. */
  private readonly timedOut = new Set<number>();

  constructor({ pools, operations, lastReload, emergencies }: CountsSnapshot = NOTHING) {
    // An older program, before an upgrade, counted less.
    this.pools = new Map(pools.map(([name, counts]) => [name, { ...NO_COUNTS, ...counts }]));
    this.counted = operations;
    this.reload = lastReload;
    this.emergencyCount = emergencies;
  }

  get snapshot(): CountsSnapshot {
    const { operations, lastReload, emergencies } = this;
    return { pools: [...this.pools], operations, lastReload, emergencies };
  }

  ofPool(name: string): PoolCounts {
    return this.pools.get(name) ?? NO_COUNTS;
  }
  get operations(): readonly OperationCount[] {
    return this.counted;
  }
  get lastReload(): LastOperation | null {
    return this.reload;
  }
  /** How often emergency_restart_threshold was reached. */
  get emergencies(): number {
    return this.emergencyCount;
  }

  hear({ event, time }: EventRecord): void {
    switch (event.type) {
      case "operation-done":
        this.count(event.operation, "done", event.ms);
        if (event.operation === "reload") this.lastReloadIs(time, "done", event.ms, null);
        return;
      case "operation-failed":
        this.count(event.operation, "failed", event.ms);
        if (event.operation === "reload")
          this.lastReloadIs(time, "failed", event.ms, event.fault.message);
        return;
      case "emergency":
        this.emergencyCount++;
        return;
      default:
        if ("pool" in event) this.hearOfPool(event, time);
    }
  }

  private hearOfPool(event: Extract<Event, { pool: string }>, time: Date): void {
    if (event.type === "request-timeout") this.timedOut.add(event.pid);
    const isTimedOut = event.type === "member-ended" && this.timedOut.delete(event.pid);
    const message = narrate(event).text.split("\n", 1)[0]!;
    const error = { at: time.toISOString(), message };
    const before = this.ofPool(event.pool);
    const after = afterEvent(before, event, { isTimedOut, error });
    if (after !== before) this.pools.set(event.pool, after);
  }

  private count(operation: string, result: OperationCount["result"], ms: number): void {
    const isIt = (count: OperationCount) =>
      count.operation === operation && count.result === result;
    const { durations } = this.counted.find(isIt) ?? { durations: NO_DURATIONS };
    const others = this.counted.filter((count) => !isIt(count));
    this.counted = [...others, { operation, result, durations: withDuration(durations, ms) }];
  }

  private lastReloadIs(
    time: Date,
    result: LastOperation["result"],
    ms: number,
    message: string | null,
  ): void {
    this.reload = { at: time.toISOString(), result, ms: Math.round(ms), message };
  }
}

const NOTHING: CountsSnapshot = { pools: [], operations: [], lastReload: null, emergencies: 0 };
