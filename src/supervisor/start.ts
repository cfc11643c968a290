// The story of a start: open every address (or take it back from workers that an earlier supervisor
// left), bring up every pool, and only then say that it serves. When anything fails, what was opened
// is closed again, nothing is left, and earlier workers serve on.

import { Pool } from "../pool/pool.ts";
import type { Listener } from "../socket/listener.ts";
import { bringUp, whole } from "./bring-up.ts";
import { askCanaries } from "./canary.ts";
import type { Recovery } from "./recover.ts";
import { newGeneration, type World } from "./world.ts";

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
      world.emit({ type: "listening", pools: [pool.name], address: listener.name });
    }
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
  }
}
