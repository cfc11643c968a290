// The story of a start: open every address (or take it back from workers that an earlier supervisor
// left), bring up every pool, and only then say that it serves. When anything fails, what was opened
// is closed again, nothing is left, and earlier workers serve on.

import type { PoolConfig } from "../config/model.ts";
import { asFault, type Fault } from "../fault.ts";
import { Pool } from "../pool/pool.ts";
import type { Listener } from "../socket/listener.ts";
import { bringUp, whole } from "./bring-up.ts";
import { askCanaries } from "./canary.ts";
import { inLanes } from "./lanes.ts";
import { preflight } from "./preflight.ts";
import type { Recovery } from "./recover.ts";
import { newGeneration, type World } from "./world.ts";

/** Starts every pool, or none: rejects with the reason. */
export async function startPools(
  world: World,
  recovery: Recovery,
  signal: AbortSignal,
): Promise<void> {
  const { pools } = world.config;
  const opened = new Map<string, Listener>();
  try {
    const number = ++world.generation;
    for (const pool of pools) {
      const listener = await recovery.open(pool);
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
  } catch (error) {
    recovery.giveUp();
    for (const listener of opened.values()) if (!recovery.isAdopted(listener)) listener.close();
    throw error;
  } finally {
    world.claimed.clear();
  }
}

/** `--keep-going`: starts each pool for itself. Returns why some failed; those are tried again and again. */
export async function startEachPool(
  world: World,
  recovery: Recovery,
  signal: AbortSignal,
): Promise<Fault[]> {
  const number = ++world.generation;
  const failures: Fault[] = [];
  await inLanes(world.config.pools, signal, async (pool) => {
    try {
      const listener = await recovery.open(pool);
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
    if (signal.aborted) {
      listener.close();
      throw error;
    }
    world.pools.set(pool.name, new Pool(generation));
    generation.keepTrying(async () => void (await preflight(world.config, new Set([pool.name]))));
    return asFault(error);
  }
}
