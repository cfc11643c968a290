// Who keeps an operation waiting: told once a second while old workers leave.

import { sleep } from "../../sys/clock.ts";
import type { LateWorker, ProgressStep } from "./report.ts";
import { poolsInOrder, type SupervisorState } from "../supervisor-state.ts";

const PROGRESS_EVERY_MS = 1000;

/** Tells the late workers until `over` settles, and then that it has; gives what it gives. */
export async function tellUntil<T>(
  over: Promise<T>,
  state: SupervisorState,
  tell: (step: ProgressStep) => void,
): Promise<T> {
  const done = new AbortController();
  const settled = over.finally(() => done.abort());
  settled.catch(() => {});
  while (!done.signal.aborted) {
    await sleep(PROGRESS_EVERY_MS, done.signal);
    if (!done.signal.aborted) tell({ step: "draining", late: lateWorkers(state) });
  }
  const result = await settled;
  tell({ step: "drained" });
  return result;
}

function lateWorkers(state: SupervisorState): LateWorker[] {
  return poolsInOrder(state).flatMap((pool) =>
    [pool.current, ...pool.leaving]
      .flatMap((generation) => generation.all)
      .flatMap((group) => {
        const { draining } = group;
        if (draining === null) return [];
        const [age_ms, left_ms] = [Math.round(draining.ageMs), Math.round(draining.leftMs)];
        return group.members
          .workers()
          .map(({ pid }) => ({ pool: pool.name, pid, age_ms, left_ms }));
      }),
  );
}
