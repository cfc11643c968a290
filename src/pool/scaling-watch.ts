// When pools that follow their load are looked at. A queue is looked at as soon as a connection has
// arrived and for a while after it, in one system call for all; what workers do, as often as they are
// few. At rest a signal tells of the next connection, and nothing is looked at but now and then.

import type { Emit, Event } from "../event.ts";
import type { Reader, Scoreboard } from "../observe/scoreboard.ts";
import type { Sample } from "../observe/sample.ts";
import type { Listener } from "../socket/listener.ts";
import { after, now } from "../sys/clock.ts";
import { onArrival, tellArrivals, whereSomebodyWaits } from "../sys/socket/arrivals.ts";
import { allowances, isScarce } from "./budget.ts";
import { PoolScaler } from "./pool-scaler.ts";
import type { Pool } from "./pool.ts";
import { isServedSoon, type QueueSighting } from "./scaling.ts";

/** A connection may have been accepted before it is looked for. */
const FIRST_LOOK_MS = 4;
/** Where somebody waits at two looks so far apart, the workers are looked at. */
const CONFIRM_MS = 3;
/** Where who waits does so for CPU time instead of a worker, looks become rarer. */
const IN_VAIN = { firstMs: 12, mostMs: 100 } as const;
const QUEUE_EVERY_MS = 12;
/** So long after the last sign of load the queues are left to the signal. */
const ALERT_MS = 250;
const WORKERS_EVERY_MS = { alert: 50, moving: 200, loaded: 1000, atRest: 5000 } as const;
/** A look at one takes up to 40 µs. */
const WORKERS_A_SECOND = 250;
/** After so long with enough workers for all, too few are told of again. */
const TELL_AGAIN_MS = 60_000;
/** So many at once, so that nothing else waits long. */
const WORKERS_A_LOOK = 200;

type Scarcity = Omit<Extract<Event, { type: "workers-limited" }>, "type">;

interface ScalingContext {
  readonly pools: () => readonly Pool[];
  readonly scoreboard: Scoreboard;
  /** Active workers of all pools at most; 0 = no limit. */
  readonly maxWorkers: () => number;
  readonly emit: Emit;
}

export class ScalingWatch implements Reader {
  private readonly context: ScalingContext;
  private readonly scoreboard: Scoreboard;
  private readonly scalers = new WeakMap<Pool, PoolScaler>();
  /** Listeners that tell of connections by the signal. */
  private readonly armed = new Set<Listener>();
  /** Until when the queues are looked at; null = they are not. */
  private alertUntil: number | null = null;
  /** Where somebody was seen to wait at the last look. */
  private waitedBefore: ReadonlyMap<PoolScaler, QueueSighting> = new Map();
  private readonly inVain = new WeakMap<
    PoolScaler,
    { readonly ms: number; readonly until: number }
  >();
  private next = 0;
  private lastCost = 0;
  /** When max_workers last was too few. */
  private scarceAt = -Infinity;

  constructor(context: ScalingContext) {
    this.context = context;
    this.scoreboard = context.scoreboard;
    onArrival(() => this.alert());
  }

  get everyMs(): number {
    const scalers = this.all.map(({ scaler }) => scaler);
    const rate = WORKERS_EVERY_MS[this.pace(scalers)];
    return Math.max(rate, (this.lastCost * 1000) / WORKERS_A_SECOND);
  }

  private pace(scalers: readonly PoolScaler[]): keyof typeof WORKERS_EVERY_MS {
    if (this.alertUntil !== null) return "alert";
    if (scalers.some(({ isMoving }) => isMoving)) return "moving";
    const isFull = ({ canGrow, isResting }: PoolScaler) => !canGrow && !isResting;
    return scalers.some(isFull) ? "loaded" : "atRest";
  }

  /** Other generations may be responsible by now. */
  hear({ type }: Event): void {
    if (type === "supervisor-ready" || type === "operation-done") this.scoreboard.add(this);
  }

  /** Somebody has changed what a pool is to do: it is looked at now. */
  lookAt(pool: Pool): void {
    if (pool.current.limits !== null) this.lookBeside(this.scalerOf(pool), this.scoreboard.now());
    this.alert();
    this.scoreboard.add(this);
  }

  /** As many pools as one look has time for; the others come next. */
  look(sample: Sample): void {
    const { all } = this;
    this.lastCost = 0;
    for (let i = 0; i < all.length && this.lastCost < WORKERS_A_LOOK; i++) {
      const { scaler } = all[this.next++ % all.length]!;
      this.lastCost += scaler.cost;
      this.lookBeside(scaler, sample);
    }
    if (this.alertUntil === null) this.rest();
  }

  private get all(): { readonly pool: Pool; readonly scaler: PoolScaler }[] {
    return this.context
      .pools()
      .filter(({ current }) => current.limits !== null)
      .map((pool) => ({ pool, scaler: this.scalerOf(pool) }));
  }

  private scalerOf(pool: Pool): PoolScaler {
    const scaler = this.scalers.get(pool) ?? new PoolScaler(pool);
    this.scalers.set(pool, scaler);
    return scaler;
  }

  // ---------------------------------------------------------------- beside other pools

  private lookBeside(scaler: PoolScaler, sample: Sample): boolean {
    return scaler.look(sample, () => this.allowed(scaler));
  }

  private allowed(scaler: PoolScaler): number {
    const most = this.context.maxWorkers();
    if (most === 0) return Infinity;
    const all = this.context.pools().map((pool) => ({ pool, scaler: this.scalerOf(pool) }));
    const left = all.reduce((rest, each) => rest - each.scaler.fixed, most);
    const sharing = all.flatMap(({ pool, scaler }) => {
      const { claim } = scaler;
      return claim === null ? [] : [{ pool, scaler, claim }];
    });
    const claims = sharing.map(({ claim }) => claim);
    const allowed = allowances(claims, left);
    if (isScarce(claims, left)) {
      const short = sharing.filter(({ claim }, i) => claim.wanted > allowed[i]!);
      const wanted = claims.reduce((sum, claim) => sum + claim.wanted, most - left);
      const pools = short.map(({ pool }) => pool.name);
      if (pools.length > 0) this.tellScarce({ pools, wanted, most });
    }
    return allowed[sharing.findIndex((each) => each.scaler === scaler)] ?? Infinity;
  }

  /** Once, until there was enough for a while. */
  private tellScarce(what: Scarcity): void {
    if (now() - this.scarceAt > TELL_AGAIN_MS)
      this.context.emit({ type: "workers-limited", ...what });
    this.scarceAt = now();
  }

  // ---------------------------------------------------------------- the queues

  /** There is load. */
  private alert(): void {
    this.rouse();
    const isNew = this.alertUntil === null;
    this.alertUntil = now() + ALERT_MS;
    if (!isNew) return;
    for (const listener of this.armed) this.disarm(listener);
    after(FIRST_LOOK_MS, () => this.lookAtQueues());
    // It is time for the workers sooner than was thought.
    this.scoreboard.add(this);
  }

  /** Whoever waits at a pool without workers waits for its start, and for nothing else. */
  private rouse(): void {
    const resting = this.all.filter(({ scaler }) => scaler.isResting);
    const waiting = new Set(whereSomebodyWaits(resting.map(({ pool }) => pool.listener.fd)));
    for (const { pool, scaler } of resting) if (waiting.has(pool.listener.fd)) scaler.rouse();
  }

  private lookAtQueues(): void {
    this.rouse();
    const waited = new Map<PoolScaler, QueueSighting>();
    for (const [scaler, queue] of this.waiting()) {
      const [before, sighting] = [this.waitedBefore.get(scaler), { queue, time: now() }];
      const isUnsure = before === undefined || isServedSoon(before, sighting);
      if (isUnsure) waited.set(scaler, sighting);
      // Those that are woken take some time to accept what waits.
      else this.lookAgain(scaler);
    }
    this.waitedBefore = waited;
    if (waited.size > 0) this.alertUntil = now() + ALERT_MS;
    if (this.alertUntil! > now())
      return void after(waited.size > 0 ? CONFIRM_MS : QUEUE_EVERY_MS, () => this.lookAtQueues());
    this.alertUntil = null;
    for (const { scaler } of this.all) this.inVain.delete(scaler);
    this.rest();
  }

  private lookAgain(scaler: PoolScaler): void {
    const before = this.inVain.get(scaler)?.ms ?? IN_VAIN.firstMs / 2;
    this.inVain.delete(scaler);
    if (this.lookBeside(scaler, this.scoreboard.now())) return;
    const ms = Math.min(before * 2, IN_VAIN.mostMs);
    this.inVain.set(scaler, { ms, until: now() + ms });
  }

  /** How many wait, where another worker could be woken for them. */
  private waiting(): (readonly [PoolScaler, number])[] {
    const time = now();
    const growing = this.all.filter(
      ({ scaler }) => scaler.canGrow && (this.inVain.get(scaler)?.until ?? 0) <= time,
    );
    const waiting = new Set(whereSomebodyWaits(growing.map(({ pool }) => pool.listener.fd)));
    return growing
      .filter(({ pool }) => waiting.has(pool.listener.fd))
      .map(({ pool, scaler }) => [scaler, pool.listener.queue()?.length ?? 0] as const)
      .filter(([, queue]) => queue > 0);
  }

  /** From here on the signal tells; who came before it was on is seen now. */
  private rest(): void {
    const wanted = this.all
      .filter(({ scaler }) => scaler.canGrow || scaler.isResting)
      .map(({ pool }) => pool.listener);
    const known = new Set(wanted);
    for (const listener of this.armed) if (!known.has(listener)) this.disarm(listener);
    for (const listener of wanted) this.arm(listener);
    if (whereSomebodyWaits(wanted.map(({ fd }) => fd)).length > 0) this.alert();
  }

  /** Again and again: whoever holds the socket may have switched it off. */
  private arm(listener: Listener): void {
    if (tellArrivals(listener.fd, true)) this.armed.add(listener);
  }

  private disarm(listener: Listener): void {
    this.armed.delete(listener);
    // The number of one that was closed may be another descriptor by now.
    if (listener.isOpen) tellArrivals(listener.fd, false);
  }
}
