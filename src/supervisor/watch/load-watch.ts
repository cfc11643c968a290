// The load of each pool, looked at again and again: queue, busy workers, CPU time. What is short shows only
// if a look meets it. It decides nothing; status, metrics and advice read it.

import type { RequestCounter } from "../../observe/fpm-scoreboard.ts";
import type { Reader } from "../../observe/scoreboard.ts";
import type { Sample, WorkerView } from "../../observe/sample.ts";
import type { Pool } from "../../pool/pool.ts";
import { wallClock } from "../../sys/clock.ts";
import type { WorkerSet } from "../../observe/sample.ts";
import type { Group } from "../../worker/group.ts";
import { poolsInOrder, type SupervisorState } from "../supervisor-state.ts";
import { afterLook, type Look, NO_LOAD, type PoolLoad } from "./pool-load.ts";

const LOOK_EVERY_MS = 1000;
/** A look takes some 20 to 30 microseconds for each: so many can be looked at once a second for a third of a percent. */
const WORKERS_EACH_SECOND = 100;
/** Of more there are hundreds, with pools of their own to look at as well: so many a second. */
const WORKERS_A_SECOND = 50;
/** Of a clock tick (USER_HZ, 100 a second on every Linux). */
const TICK_MS = 10;
/** Who has been busy on one connection for longer may be in a new request of it: only the program's record tells. */
const LONG_MS = 5000;
/** That takes some 200 microseconds for each: so often, and with hundreds of them less often. */
const REQUESTS_EVERY_MS = 10_000;
const REQUEST_PAUSE_MS = 100;
/** A rush that is over sooner is what a queue is for. */
const SATURATED_MS = 5000;

export class LoadWatch implements Reader {
  private readonly state: SupervisorState;
  private readonly loads = new Map<string, PoolLoad>();
  /** CPU time of each worker at the last look. */
  private ticks: ReadonlyMap<string, number> = new Map();
  private requestsDueAt = 0;
  /** How many workers a pool had when it was told that it is saturated. */
  private readonly told = new Map<string, number>();
  private readonly counters = new WeakMap<Group, RequestCounter>();

  /** `before`: what the program before an upgrade has seen, by pool. */
  constructor(state: SupervisorState, before: Readonly<Record<string, PoolLoad>> = {}) {
    this.state = state;
    // An older program, before an upgrade, kept less.
    for (const [pool, load] of Object.entries(before))
      this.loads.set(pool, { ...NO_LOAD, ...load });
  }

  get everyMs(): number {
    return lookEveryMs(this.state);
  }

  of(pool: string): PoolLoad {
    return this.loads.get(pool) ?? NO_LOAD;
  }

  /** Of all pools, by name. */
  get all(): Readonly<Record<string, PoolLoad>> {
    return Object.fromEntries(this.loads);
  }

  look(sample: Sample): void {
    const pools = poolsInOrder(this.state);
    const names = new Set(pools.map(({ name }) => name));
    for (const name of this.loads.keys()) if (!names.has(name)) this.loads.delete(name);
    const ticks = new Map<string, number>();
    for (const pool of pools) this.lookAt(pool, sample, ticks);
    this.ticks = ticks;
    if (sample.takenAt < this.requestsDueAt) return;
    const looked = pools.reduce((sum, pool) => sum + lookAtLongRequests(pool, sample), 0);
    const pause = Math.max(REQUESTS_EVERY_MS, looked * REQUEST_PAUSE_MS);
    this.requestsDueAt = sample.takenAt + pause;
  }

  private lookAt(pool: Pool, sample: Sample, ticks: Map<string, number>): void {
    const workers = servingSets(pool).flatMap((set) => sample.workers(set));
    const busy = workers.filter(isBusy).length;
    const queue = pool.listener.queue();
    const look = {
      time: wallClock().getTime(),
      workers: workers.length,
      busy,
      allBusy: busy > 0 && busy === workers.length,
      queue: queue?.length ?? null,
      // The kernel lets in one more than its limit.
      queueFull: queue !== null && queue.length > queue.limit,
      cpuMs: this.ticksSince(workers, ticks) * TICK_MS,
      requests: this.requestsOf(pool, sample),
    };
    const load = afterLook(this.of(pool.name), look);
    this.loads.set(pool.name, load);
    this.tellOnce(pool, load, look);
  }

  /** Of each pool once, until it has another number of workers. */
  private tellOnce({ name }: Pool, { saturatedSince }: PoolLoad, look: Look): void {
    const { time, workers, queue } = look;
    if (saturatedSince === null || this.told.get(name) === workers) return;
    const ms = time - saturatedSince;
    if (ms < SATURATED_MS) return;
    this.told.set(name, workers);
    this.state.emit({ type: "pool-saturated", pool: name, workers, queue: queue ?? 0, ms });
  }

  /** By leader; of those that are leaving, too. */
  private requestsOf(pool: Pool, sample: Sample): Look["requests"] {
    const groups = [pool.current, ...pool.leaving].flatMap(({ all }) => all);
    const counted = groups.flatMap((group): [string, number | null][] => {
      const counter = this.counterOf(group);
      if (counter === undefined) return [];
      const { leader, workers } = sample.present(group.members);
      // Its workers have that memory after it is gone, too.
      const [seen] = leader === null ? workers : [leader];
      const { pid, startTime } = group.leader;
      return [[`${pid} ${startTime}`, seen === undefined ? null : counter.read(seen.pid)]];
    });
    return Object.fromEntries(counted);
  }

  private counterOf(group: Group): RequestCounter | undefined {
    const { runtime, pool } = group.context;
    const counter = this.counters.get(group) ?? runtime.requestCounter?.(pool);
    if (counter !== undefined) this.counters.set(group, counter);
    return counter;
  }

  private ticksSince(workers: readonly WorkerView[], ticks: Map<string, number>): number {
    let sum = 0;
    for (const { pid, startTime, cpuTicks } of workers) {
      const key = `${pid} ${startTime}`;
      ticks.set(key, cpuTicks);
      sum += Math.max(0, cpuTicks - (this.ticks.get(key) ?? 0));
    }
    return sum;
  }
}

/** In seconds as a whole, so that who looks as often shares the look. */
export function lookEveryMs(state: SupervisorState): number {
  const workers = poolsInOrder(state).reduce((sum, { target }) => sum + target, 0);
  const seconds = workers <= WORKERS_EACH_SECOND ? 1 : Math.ceil(workers / WORKERS_A_SECOND);
  return LOOK_EVERY_MS * seconds;
}

/** The workers of the groups that serve, of the generation that is responsible. */
export function servingSets({ current }: Pool): WorkerSet[] {
  return current.all
    .filter(({ state }) => state === "serving" || state === "orphaned")
    .map(({ members }) => members);
}

/** Has a connection, or is between two. */
export function isBusy({ activity }: WorkerView): boolean {
  return activity.doing === "busy" || activity.doing === "working";
}

/** The scoreboard remembers since when a request has been seen: one that is long is to be seen again. How many it was. */
function lookAtLongRequests(pool: Pool, sample: Sample): number {
  const isLong = (view: WorkerView) =>
    view.activity.doing === "busy" && sample.takenAt - view.since >= LONG_MS;
  const sets = [pool.current, ...pool.leaving].flatMap(({ all }) =>
    all.map(({ members }) => members),
  );
  return sets
    .filter((set) => sample.workers(set).some(isLong))
    .reduce((sum, set) => sum + sample.requests(set).size, 0);
}
