// The story of a start: open every address (or take it back from workers that an earlier supervisor
// left), bring up every pool, and only then say that it serves. When anything fails, nothing of ours is
// left but the sockets, which the recovery closes again, or leaves to the earlier workers.

import type { PoolConfig } from "../config/model.ts";
import { asFault, type Fault } from "../fault.ts";
import { Pool } from "../pool/pool.ts";
import type { Listener } from "../socket/listener.ts";
import { bringUp, whole } from "./bring-up.ts";
import { askCanaries } from "./canary.ts";
import { inLanes } from "./concurrency.ts";
import { preflight } from "./preflight.ts";
import type { OpenSocket } from "./recovery/recovery.ts";
import { newGeneration, type World } from "./supervisor-state.ts";

/** Starts every pool, or none: rejects with the reason. */
export async function startPools(
  world: World,
  open: OpenSocket,
  signal: AbortSignal,
): Promise<void> {
  const { pools } = world.config;
  const opened = new Map<string, Listener>();
  try {
    const number = ++world.generation;
    for (const pool of pools) {
      const listener = await open(pool);
      opened.set(pool.name, listener);
      world.claimed.set(listener, pool);
      world.emit({ type: "listening", pools: [pool.name], address: listener.name });
    }
    // Before the first worker starts: if the supervisor dies, they are found again.
    world.remember();
    const generations = pools.map((pool) =>
      newGeneration(world, pool, opened.get(pool.name)!, number),
    );
    await askCanaries(world, pools, number, signal);
    await bringUp(generations.map(whole), signal, () => {});
    for (const generation of generations) {
      world.pools.set(generation.context.pool.name, new Pool(generation));
    }
  } finally {
    world.claimed.clear();
  }
}

/** `--keep-going`: starts each pool for itself. Returns why some failed; those are tried again and again. */
export async function startEachPool(
  world: World,
  open: OpenSocket,
  signal: AbortSignal,
): Promise<Fault[]> {
  const number = ++world.generation;
  const failures: Fault[] = [];
  await inLanes(world.config.pools, signal, async (pool) => {
    try {
      const listener = await open(pool);
      world.claimed.set(listener, pool);
      world.remember();
      world.emit({ type: "listening", pools: [pool.name], address: listener.name });
      const failure = await startOne(world, pool, listener, number, signal);
      if (failure !== null) failures.push(failure);
    } catch (error) {
      signal.throwIfAborted();
      // Without its socket or its runtime a pool cannot even be tried again; a reload may mend it.
      failures.push(asFault(error));
    }
  }).finally(() => world.claimed.clear());
  return failures;
}

async function startOne(
  world: World,
  pool: PoolConfig,
  listener: Listener,
  number: number,
  signal: AbortSignal,
): Promise<Fault | null> {
  const generation = newGeneration(world, pool, listener, number);
  try {
    await preflight(world.config, new Set([pool.name]));
    await askCanaries(world, [pool], number, signal);
    await generation.start(signal, null);
    world.pools.set(pool.name, new Pool(generation));
    return null;
  } catch (error) {
    if (signal.aborted) throw error;
    world.pools.set(pool.name, new Pool(generation));
    generation.keepTrying(async () => void (await preflight(world.config, new Set([pool.name]))));
    return asFault(error);
  }
}
