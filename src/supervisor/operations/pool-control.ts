// What is done to one pool while it runs, without a new config: how many of its workers may be active, and
// whether it takes requests at all. Holds until the next reload of the pool, which brings what the config says.

import { Fault } from "../../fault.ts";
import type { Pool } from "../../pool/pool.ts";
import { scaledLimits } from "../../pool/amount.ts";
import type { ScalingWatch } from "../../pool/scaling-watch.ts";
import { now, sleep } from "../../sys/clock.ts";
import { firstOf } from "../../log/words.ts";
import type { SupervisorState } from "../supervisor-state.ts";
import type { OperationQueue, Tell } from "./operation-queue.ts";
import { type Report, reportOf } from "./report.ts";

interface ControlDependencies {
  readonly state: SupervisorState;
  readonly queue: OperationQueue;
  readonly scaling: ScalingWatch;
}

/** Who has asked for it, and about which pool. */
export interface PoolOrder {
  readonly pool: string;
  readonly by: string;
  readonly tell: Tell;
}

const LOOK_EVERY_MS = 20;

export class PoolControl {
  private readonly dependencies: ControlDependencies;

  constructor(dependencies: ControlDependencies) {
    this.dependencies = dependencies;
  }

  /** Answers when there are as many workers as that takes. Throws a Fault when they do not come up; then all is as before. */
  scale({ pool: name, by, tell }: PoolOrder, workers: string): Promise<Report> {
    const { queue, state } = this.dependencies;
    const order = { operation: "scale", by, detail: `${name}, ${workers}`, tell } as const;
    return queue.carryOut(order, async (signal, since) => {
      const pool = findPool(state, name);
      const { current } = pool;
      if (current.isPaused) throw pausedFault(name);
      const before = current.limits;
      const limits = scaledLimits(workers, pool.config, before);
      try {
        current.scale(limits);
        await this.untilThere(pool, signal);
        this.look(pool);
      } catch (error) {
        current.scale(before);
        throw error;
      }
      const { least, most } = limits;
      const was =
        before === null ? { least: pool.config.workers, most: pool.config.workers } : before;
      const active = { pool: name, least, most, was_least: was.least, was_most: was.most };
      return async () => ({ ...reportOf("scale", state, since), active });
    });
  }

  /** Answers when no worker is in a request any more, or drain_timeout is over. */
  pause({ pool: name, by, tell }: PoolOrder): Promise<Report> {
    const { queue, state } = this.dependencies;
    const order = { operation: "pause", by, detail: name, tell } as const;
    return queue.carryOut(order, async (signal, since) => {
      const pool = findPool(state, name);
      const wasPaused = pool.current.isPaused;
      pool.current.pause();
      try {
        this.look(pool);
      } catch (error) {
        pool.current.resume();
        throw error;
      }
      const busy = await this.untilParked(pool, signal);
      const paused = { pool: name, still_busy: busy, already: wasPaused };
      return async () => ({ ...reportOf("pause", state, since), paused });
    });
  }

  resume({ pool: name, by, tell }: PoolOrder): Promise<Report> {
    const { queue, state } = this.dependencies;
    const order = { operation: "resume", by, detail: name, tell } as const;
    return queue.carryOut(order, async (_signal, since) => {
      const pool = findPool(state, name);
      const already = !pool.current.isPaused;
      const waiting = pool.listener.queue()?.length ?? 0;
      pool.current.resume();
      this.look(pool);
      const resumed = { pool: name, already, waiting };
      return async () => ({ ...reportOf("resume", state, since), resumed });
    });
  }

  /** Throws the Fault where it shows that its workers cannot be parked. */
  private look(pool: Pool): void {
    const { scaling } = this.dependencies;
    // Who cannot be seen once may just have ended.
    scaling.lookAt(pool);
    scaling.lookAt(pool);
    if (!pool.current.isBlind) return;
    throw new Fault(
      `what the workers of pool ${pool.name} do cannot be seen, so none can be parked`,
      {
        hint: "see `fcgivisor help scaling`, where it cannot be done",
      },
    );
  }

  private async untilThere({ current, name }: Pool, signal: AbortSignal): Promise<void> {
    const { failures, context } = current;
    const until = now() + context.pool.startTimeoutMs;
    while (workersOf(current) < current.target) {
      signal.throwIfAborted();
      if (current.failures > failures || now() > until)
        throw new Fault("the further workers did not come up; the pool is as it was", {
          where: `pool ${name}`,
          hint: "the log says why",
        });
      await sleep(LOOK_EVERY_MS, signal);
    }
  }

  /** How many are still in a request. */
  private async untilParked(pool: Pool, signal: AbortSignal): Promise<number> {
    const until = now() + pool.config.drainTimeoutMs;
    for (;;) {
      const active = activeOf(pool);
      if (active === 0 || now() > until || signal.aborted) return active;
      await sleep(LOOK_EVERY_MS, signal);
      this.dependencies.scaling.lookAt(pool);
    }
  }
}

/** Throws the Fault that names those there are. */
export function findPool({ pools }: Pick<SupervisorState, "pools">, name: string): Pool {
  const pool = pools.get(name);
  if (pool !== undefined) return pool;
  const known = pools.size === 0 ? "there is none" : `pools are ${firstOf([...pools.keys()], 20)}`;
  throw new Fault(`there is no pool "${name}"`, {
    hint: `${known}; one that was stopped is started by \`fcgivisor start POOL\``,
  });
}

type Groups = Pick<Pool["current"], "all">;

function serving({ all }: Groups) {
  return all.filter(({ state }) => state === "serving" || state === "orphaned");
}

function workersOf(groups: Groups): number {
  return serving(groups).reduce((sum, { size }) => sum + size, 0);
}

function activeOf({ current }: Pool): number {
  const groups = serving(current);
  const workers = groups.reduce((sum, { members }) => sum + members.workers().length, 0);
  return workers - groups.reduce((sum, { parked }) => sum + parked.count, 0);
}

function pausedFault(name: string): Fault {
  return new Fault(`pool ${name} is paused`, { hint: `resume it first: fcgivisor resume ${name}` });
}
