// Which workers a trace is of: those of a pool, one process, or all; also of generations that are leaving.

import { nearest } from "../../config/nearest.ts";
import { Fault } from "../../fault.ts";
import { firstOf } from "../../log/words.ts";
import type { RequestView, Sample, WorkerView } from "../../observe/sample.ts";
import type { Group } from "../../worker/group.ts";
import { poolsInOrder, type SupervisorState } from "../supervisor-state.ts";

/** null: any. */
export interface TraceChoice {
  readonly pool: string | null;
  readonly pid: number | null;
  /** Only so many, those that have been longest in their request. */
  readonly longest: number | null;
}

export interface Traced {
  readonly group: Group;
  readonly worker: WorkerView;
  /** null: it is in no request. */
  readonly request: RequestView | null;
}

/** The workers of the choice as they are at this moment. Throws a Fault when there can be none. */
export function tracedWorkers(
  state: SupervisorState,
  choice: TraceChoice,
  sample: Sample = state.scoreboard.now(),
): Traced[] {
  const found = groupsOf(state, choice.pool).flatMap((group) => {
    const requests = sample.requests(group.members);
    return sample
      .workers(group.members)
      .filter(({ pid }) => choice.pid === null || pid === choice.pid)
      .map((worker): Traced => ({ group, worker, request: requests.get(worker.pid) ?? null }));
  });
  if (choice.pid !== null && found.length === 0) throw noWorker(choice);
  return found;
}

/** Groups of the choice's pool, or of all. Throws a Fault when there is no such pool. */
export function groupsOf(state: SupervisorState, name: string | null): Group[] {
  const pools = poolsInOrder(state);
  const chosen = pools.filter((pool) => name === null || pool.name === name);
  if (name !== null && chosen.length === 0) throw noPool(name, [...state.pools.keys()]);
  return chosen.flatMap(({ current, leaving }) => [current, ...leaving]).flatMap(({ all }) => all);
}

function noPool(name: string, all: readonly string[]): Fault {
  const near = nearest(name, all);
  const hint = near === null ? `pools are ${firstOf(all, 20)}` : `did you mean "${near}"?`;
  return new Fault(`there is no pool "${name}"`, { hint });
}

function noWorker({ pid, pool }: TraceChoice): Fault {
  const whose = pool === null ? "this supervisor" : `pool ${pool}`;
  return new Fault(`process ${pid} is no worker of ${whose}`, {
    hint: "`fcgivisor status` shows the workers that there are",
  });
}
