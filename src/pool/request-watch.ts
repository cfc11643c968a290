// slow_timeout and request_timeout: a worker that is long in one request is told of, and at last ended. Nobody
// asks the worker; what counts is for how long it is seen in the same request, so a limit is kept to within
// a look or two.

import type { PoolConfig } from "../config/model.ts";
import type { Reader } from "../observe/scoreboard.ts";
import type { RequestView, Sample, WorkerView } from "../observe/sample.ts";
import { TICK_MS } from "../sys/proc/procfs.ts";
import type { Group } from "../worker/group.ts";
import { longRequest } from "./long-request.ts";
import type { Pool } from "./pool.ts";

const LOOK_EVERY_MS = 200;
/** While no pool has a limit: one may get one. */
const AT_REST_MS = 1000;
/** A slow request is told of once more when it has taken so many times the limit. */
const AGAIN_AT = 4;

/** A request that is remembered from one look to the next. */
interface Watched {
  readonly since: number;
  /** The worker's, when the request was first seen. */
  readonly cpuTicks: number;
  /** How often it has been told of. */
  told: number;
}

type ByPid = ReadonlyMap<number, Watched>;

export class RequestWatch implements Reader {
  private readonly pools: () => readonly Pool[];
  private readonly watched = new WeakMap<Group, ByPid>();

  constructor(pools: () => readonly Pool[]) {
    this.pools = pools;
  }

  get everyMs(): number {
    return this.limitedGroups().length > 0 ? LOOK_EVERY_MS : AT_REST_MS;
  }

  look(sample: Sample): void {
    for (const group of this.limitedGroups()) this.lookAt(group, sample);
  }

  private limitedGroups(): Group[] {
    return this.pools()
      .flatMap((pool) => [pool.current, ...pool.leaving])
      .filter(({ context }) => hasLimit(context.pool))
      .flatMap((generation) => generation.all);
  }

  private lookAt(group: Group, sample: Sample): void {
    const before = this.watched.get(group);
    const views = new Map(sample.workers(group.members).map((view) => [view.pid, view]));
    const watched = new Map<number, Watched>();
    for (const [pid, request] of sample.requests(group.members)) {
      const worker = views.get(pid);
      if (worker === undefined || request.since === null) continue;
      const known = before?.get(pid);
      const { since } = request;
      const same = known?.since === since ? known : { since, cpuTicks: worker.cpuTicks, told: 0 };
      watched.set(pid, same);
      judge(group, worker, request, same, sample.takenAt - since);
    }
    this.watched.set(group, watched);
  }
}

function hasLimit({ requestTimeoutMs, slowTimeoutMs }: PoolConfig): boolean {
  return requestTimeoutMs > 0 || slowTimeoutMs > 0;
}

function judge(
  group: Group,
  worker: WorkerView,
  { record, identity }: RequestView,
  watched: Watched,
  ageMs: number,
): void {
  const { pool, runtime, emit } = group.context;
  const cpuMs = (worker.cpuTicks - watched.cpuTicks) * TICK_MS;
  const seen = (limitMs: number) => longRequest(group, worker, record, { ageMs, limitMs, cpuMs });
  const { requestTimeoutMs, slowTimeoutMs } = pool;
  const mayEnd = requestTimeoutMs > 0 && !runtime.endsLongRequests(pool);
  if (mayEnd && ageMs >= requestTimeoutMs) {
    const request = seen(requestTimeoutMs);
    if (group.endRequest(worker.pid, identity!)) emit({ type: "request-timeout", ...request });
    return;
  }
  const due = slowSteps(ageMs, slowTimeoutMs);
  if (due <= watched.told) return;
  const isAgain = watched.told > 0;
  watched.told = due;
  emit({ type: "request-slow", isAgain, ...seen(slowTimeoutMs) });
}

/** How often a request of this age is to have been told of. */
export function slowSteps(ageMs: number, limitMs: number): number {
  if (limitMs === 0 || ageMs < limitMs) return 0;
  return ageMs < limitMs * AGAIN_AT ? 1 : 2;
}
