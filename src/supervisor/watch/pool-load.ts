// How loaded a pool has been, from one look after the other: its highest marks, how often all its workers
// were busy at once, and the same by the hour, for advice. Pure; what is kept goes through an upgrade as it is.

/** What one look has found. */
export interface Look {
  /** By the wall clock, in ms. */
  readonly time: number;
  /** Workers that can take requests, busy or not. */
  readonly workers: number;
  readonly busy: number;
  /** Every one of them had a request, and there was at least one. */
  readonly allBusy: boolean;
  /** Connections that waited; null = the kernel does not tell. */
  readonly queue: number | null;
  /** One more would have been turned away. */
  readonly queueFull: boolean;
  /** CPU time that workers have used since the look before, in ms. */
  readonly cpuMs: number;
  /** By leader that counts: how many requests its workers have begun in its life; null = it could not be seen now. */
  readonly requests: Readonly<Record<string, number | null>>;
}

export interface Hour {
  /** Hours since 1970. */
  readonly hour: number;
  readonly busyMost: number;
  readonly queueMost: number;
  readonly looks: number;
  /** Looks at which all were busy. */
  readonly allBusyLooks: number;
  readonly cpuMs: number;
}

export interface PoolLoad {
  readonly busyMost: number;
  /** null: has never been seen. */
  readonly queueMost: number | null;
  /** How often it has come about that it was full. */
  readonly queueFullTimes: number;
  readonly queueFullNow: boolean;
  /** How often it has come about that all were busy. */
  readonly allBusyTimes: number;
  /** Looks in a row, up to the last, at which all were busy. */
  readonly allBusyNow: number;
  /** Requests that were counted; null: none of its leaders counts. */
  readonly requests: number | null;
  /** That began between the last two looks; null: not counted, or looked at once only. */
  readonly requestsPerSecond: number | null;
  /** As of the last look: by leader. */
  readonly requestsOf: Readonly<Record<string, number>>;
  readonly cpuMs: number;
  /** The most of it while all were busy. */
  readonly cpuPercentAllBusy: number;
  /** Since when all have been busy and somebody has waited, in ms of the wall clock; null = not now. */
  readonly saturatedSince: number | null;
  /** CPU that the workers used between the last two looks, in hundredths of a processor. */
  readonly cpuPercent: number;
  /** By the wall clock, in ms; 0 = never. */
  readonly lookedAt: number;
  /** The last ones, oldest first. */
  readonly hours: readonly Hour[];
  /** The last looks, oldest first. */
  readonly recent: readonly Pick<Look, "busy" | "queue">[];
}

const HOUR_MS = 3_600_000;
const HOURS_KEPT = 48;
const LOOKS_KEPT = 60;

export const NO_LOAD: PoolLoad = {
  busyMost: 0,
  queueMost: null,
  queueFullTimes: 0,
  queueFullNow: false,
  allBusyTimes: 0,
  allBusyNow: 0,
  requests: null,
  requestsPerSecond: null,
  requestsOf: {},
  cpuMs: 0,
  cpuPercentAllBusy: 0,
  saturatedSince: null,
  cpuPercent: 0,
  lookedAt: 0,
  hours: [],
  recent: [],
};

export function afterLook(load: PoolLoad, look: Look): PoolLoad {
  const { busy, queue, queueFull, allBusy } = look;
  const cpuPercent = load.lookedAt === 0 ? 0 : percent(look.cpuMs, look.time - load.lookedAt);
  const isSaturated = allBusy && (queue ?? 0) > 0;
  return {
    busyMost: Math.max(load.busyMost, busy),
    queueMost: queue === null ? load.queueMost : Math.max(load.queueMost ?? 0, queue),
    queueFullTimes: load.queueFullTimes + (queueFull && !load.queueFullNow ? 1 : 0),
    queueFullNow: queueFull,
    allBusyTimes: load.allBusyTimes + (allBusy && load.allBusyNow === 0 ? 1 : 0),
    allBusyNow: allBusy ? load.allBusyNow + 1 : 0,
    ...requestsAfter(load, look),
    cpuMs: load.cpuMs + look.cpuMs,
    cpuPercent,
    cpuPercentAllBusy: allBusy
      ? Math.max(load.cpuPercentAllBusy, cpuPercent)
      : load.cpuPercentAllBusy,
    saturatedSince: isSaturated ? (load.saturatedSince ?? look.time) : null,
    lookedAt: look.time,
    hours: hoursAfter(load.hours, look),
    recent: [...load.recent, { busy, queue }].slice(-LOOKS_KEPT),
  };
}

/** Each leader counts from 0, and goes one day: what counts is how much more it has counted. */
function requestsAfter(
  { requests, requestsOf, lookedAt }: PoolLoad,
  look: Look,
): Pick<PoolLoad, "requests" | "requestsOf" | "requestsPerSecond"> {
  const now = Object.entries(look.requests).flatMap(([leader, count]): [string, number][] => {
    const known = count ?? requestsOf[leader];
    return known === undefined ? [] : [[leader, known]];
  });
  if (now.length === 0) return { requests, requestsOf: {}, requestsPerSecond: null };
  const more = now.map(([leader, count]) => Math.max(0, count - (requestsOf[leader] ?? 0)));
  const begun = more.reduce((sum, each) => sum + each, 0);
  const seconds = (look.time - lookedAt) / 1000;
  return {
    requests: (requests ?? 0) + begun,
    requestsPerSecond: requests === null || seconds <= 0 ? null : begun / seconds,
    requestsOf: Object.fromEntries(now),
  };
}

function percent(cpuMs: number, ms: number): number {
  return ms <= 0 ? 0 : Math.round((cpuMs / ms) * 100);
}

function hoursAfter(hours: readonly Hour[], { time, busy, queue, allBusy, cpuMs }: Look): Hour[] {
  const hour = Math.floor(time / HOUR_MS);
  const last = hours.at(-1);
  const before = last?.hour === hour ? hours.slice(0, -1) : hours;
  const was = last?.hour === hour ? last : undefined;
  const now: Hour = {
    hour,
    busyMost: Math.max(was?.busyMost ?? 0, busy),
    queueMost: Math.max(was?.queueMost ?? 0, queue ?? 0),
    looks: (was?.looks ?? 0) + 1,
    allBusyLooks: (was?.allBusyLooks ?? 0) + (allBusy ? 1 : 0),
    cpuMs: (was?.cpuMs ?? 0) + cpuMs,
  };
  return [...before, now].slice(-HOURS_KEPT);
}
