// A Sample is one moment of the scoreboard. It reads /proc when it is asked, and nothing twice: whoever
// shares it shares what was read. It is not to be kept; a moment later another one tells the truth.

import { bytesRead, type ProcessId, type ProcessStat } from "../sys/proc/procfs.ts";
import { AcceptedSockets } from "./accepted.ts";
import {
  type Activity,
  activityOf,
  connectionCount,
  isStopped,
  type Listening,
} from "./activity.ts";
import { requestIdentity, type RequestRecord } from "./request.ts";
import { type Sighting, Since } from "./since.ts";

/** Workers that accept from one listener: those of a group, or what an earlier supervisor left. */
export interface WorkerSet {
  readonly listener: Listening;
  /** Who of it lives now. */
  readonly present: () => Present;
  /** The program's own record of the request that a worker is in, where it keeps one. */
  readonly requestOf?: (pid: number) => RequestRecord;
  /** Whether it is us who stopped it, because it is not needed now. */
  readonly isParked?: (worker: ProcessId) => boolean;
}

export interface Present {
  /** Who forks the workers; null when nobody does, or when it is gone. */
  readonly leader: ProcessStat | null;
  readonly workers: readonly ProcessStat[];
}

export interface WorkerView extends ProcessStat {
  readonly activity: Exclude<Activity, { doing: "gone" }>;
  /** Since when it has been seen to do this, on this connection. */
  readonly since: number;
  /** Since when it has been seen to wait on this connection for its client; null = it does not. */
  readonly silentSince: number | null;
}

export interface RequestView {
  readonly record: RequestRecord;
  /** Since when it has been seen in this request; null = in none. */
  readonly since: number | null;
  /** Tells the request from the next one. */
  readonly identity: string | null;
}

/** What is remembered from one sample to the next. */
export class History {
  readonly activities = new Since();
  readonly silences = new Since();
  readonly requests = new Since();
}

export class Sample {
  readonly takenAt: number;
  private readonly history: History;
  private readonly accepted = new AcceptedSockets();
  private readonly presents = new Map<WorkerSet, Present>();
  private readonly views = new Map<WorkerSet, readonly WorkerView[]>();
  private readonly requestViews = new Map<WorkerSet, ReadonlyMap<number, RequestView>>();

  constructor(history: History, takenAt: number) {
    this.history = history;
    this.takenAt = takenAt;
  }

  /** The living processes. */
  present(set: WorkerSet): Present {
    return once(this.presents, set, () => set.present());
  }

  /** Who of them is stopped, as by SIGSTOP, a leader too; what a debugger stops is none of these, nor is a parked one. */
  stopped(set: WorkerSet): number[] {
    const { leader, workers } = this.present(set);
    const all = leader === null ? workers : [leader, ...workers];
    return all
      .filter((stat) => stat.state === "T" && set.isParked?.(stat) !== true)
      .map(({ pid }) => pid);
  }

  /** What each worker does. */
  workers(set: WorkerSet): readonly WorkerView[] {
    return once(this.views, set, () => this.look(set));
  }

  /** The requests of the busy ones, by pid. */
  requests(set: WorkerSet): ReadonlyMap<number, RequestView> {
    return once(this.requestViews, set, () => this.lookIntoRequests(set));
  }

  /** How many do anything but wait for a connection, or to be needed. */
  busy(set: WorkerSet): number {
    const rests = ["idle", "parked"];
    return this.workers(set).filter(({ activity }) => !rests.includes(activity.doing)).length;
  }

  /** How many requests are in flight in each worker that has any, by pid; in those that are stopped, too. */
  inFlight(set: WorkerSet): ReadonlyMap<number, number> {
    const counts = this.workers(set).map((worker) => {
      return [worker.pid, this.requestsIn(worker, set)] as const;
    });
    return new Map(counts.filter(([, requests]) => requests > 0));
  }

  private requestsIn(worker: WorkerView, set: WorkerSet): number {
    const { doing } = worker.activity;
    if (doing !== "busy" && doing !== "stopped") return 0;
    if (set.requestOf === undefined) return this.connections(worker, set);
    // The program's own record says what a connection is for; without one only ours counts.
    const mayHaveOne = doing === "busy" || this.hasAccepted(worker, set);
    return mayHaveOne && set.requestOf(worker.pid) !== "none" ? 1 : 0;
  }

  /** Whether it has a connection that was accepted from the listener of the set. */
  hasAccepted(worker: WorkerView, set: WorkerSet): boolean {
    return this.connections(worker, set) > 0;
  }

  private connections({ pid }: WorkerView, { listener }: WorkerSet): number {
    return connectionCount(pid, listener, this.accepted);
  }

  private look(set: WorkerSet): WorkerView[] {
    const seen = this.present(set).workers.flatMap((stat) => {
      const activity = this.activityOf(stat, set);
      return activity.doing === "gone" ? [] : [{ ...stat, activity }];
    });
    const { activities, silences } = this.history;
    const since = this.since(activities, set, seen, activityWord);
    const silent = this.since(silences, set, seen, silenceWord);
    return seen.map((view) => ({
      ...view,
      since: since.get(view.pid)!,
      silentSince: silent.get(view.pid) ?? null,
    }));
  }

  private activityOf(stat: ProcessStat, set: WorkerSet): Activity {
    const isParked = isStopped(stat.state) && set.isParked?.(stat) === true;
    return isParked ? { doing: "parked" } : activityOf(stat, set.listener, this.accepted);
  }

  private lookIntoRequests(set: WorkerSet): Map<number, RequestView> {
    const seen = this.workers(set).flatMap(({ pid, startTime, activity }) => {
      if (activity.doing !== "busy") return [];
      const record = set.requestOf?.(pid) ?? null;
      const what = requestIdentity(activity.connection, record, () => bytesRead(pid));
      return [{ process: { pid, startTime }, record, what }];
    });
    const since = this.history.requests.look(set, seen, this.takenAt);
    return new Map(
      seen.map(({ process: { pid }, record, what }) => [
        pid,
        { record, since: since.get(pid) ?? null, identity: what },
      ]),
    );
  }

  private since<P extends ProcessStat>(
    since: Since,
    set: WorkerSet,
    processes: readonly P[],
    what: (process: P) => string | null,
  ): ReadonlyMap<number, number> {
    const sightings = processes.map((process): Sighting => ({ process, what: what(process) }));
    return since.look(set, sightings, this.takenAt);
  }
}

type Seen = Pick<WorkerView, "state" | "cpuTicks" | "activity">;

/** Of a process that cannot be looked into no more is seen than whether it rests. */
function activityWord({ state, cpuTicks, activity }: Seen): string {
  if (activity.doing === "busy") return `busy ${activity.connection.inode}`;
  return activity.doing === "unknown" ? `unknown ${state} ${cpuTicks}` : activity.doing;
}

function silenceWord({ activity }: Seen): string | null {
  return activity.doing === "busy" && activity.connection.awaited
    ? activity.connection.inode
    : null;
}

function once<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  if (!known.has(key)) known.set(key, make());
  return known.get(key)!;
}
