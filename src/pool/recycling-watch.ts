// max_age and max_memory: workers that have lived or grown enough are asked to leave while they are idle, a
// few at a time, and others take their place. A worker with a request in flight is left alone.

import type { Reader } from "../observe/scoreboard.ts";
import type { Sample, WorkerView } from "../observe/sample.ts";
import { privateBytes, processAgeMs } from "../sys/proc/procfs.ts";
import type { Group } from "../worker/group.ts";
import { extraWorkers } from "./bounds.ts";
import type { Pool } from "./pool.ts";
import { recycles, recyclingReason } from "./recycling.ts";

const LOOK_EVERY_MS = 1000;
/** While no pool has a limit: one may get one. */
const AT_REST_MS = 5000;
/** What a worker holds takes the kernel up to a millisecond to count. */
const WORKERS_A_LOOK = 10;

export class RecyclingWatch implements Reader {
  private readonly pools: () => readonly Pool[];
  /** Where the next look goes on, by pool. */
  private readonly next = new WeakMap<Pool, number>();

  constructor(pools: () => readonly Pool[]) {
    this.pools = pools;
  }

  get everyMs(): number {
    return this.limited().length > 0 ? LOOK_EVERY_MS : AT_REST_MS;
  }

  look(sample: Sample): void {
    const pools = this.limited();
    const share = Math.max(1, Math.floor(WORKERS_A_LOOK / Math.max(1, pools.length)));
    for (const pool of pools) this.lookAt(pool, share, sample);
  }

  private limited(): Pool[] {
    return this.pools().filter(({ config }) => recycles(config));
  }

  private lookAt(pool: Pool, share: number, sample: Sample): void {
    const { config, current } = pool;
    const groups = current.all.filter(({ state }) => state === "serving");
    const leaving = current.all.reduce((sum, group) => sum + group.recycling.length, 0);
    let room = Math.max(1, extraWorkers(config.reload.maxExtra, config.workers)) - leaving;
    const workers = groups.flatMap((group) =>
      sample.workers(group.members).map((view) => ({ group, view })),
    );
    const begin = this.next.get(pool) ?? 0;
    this.next.set(pool, begin + share);
    for (let i = 0; i < Math.min(share, workers.length) && room > 0; i++) {
      const { group, view } = workers[(begin + i) % workers.length]!;
      if (isOver(pool, group, view)) room--;
    }
  }
}

/** Whether it has been asked to leave. */
function isOver({ name, config, current }: Pool, group: Group, view: WorkerView): boolean {
  const { pid } = view;
  if (!["idle", "parked"].includes(view.activity.doing) || group.recycling.includes(pid))
    return false;
  const bulk = { pid, ageMs: processAgeMs(view) ?? 0, privateBytes: privateBytes(pid) };
  const reason = recyclingReason(bulk, config);
  if (reason === null) return false;
  group.context.emit({ type: "worker-recycled", pool: name, pid, reason });
  current.recycle(group, view);
  return true;
}
