// The story of a start: open every address, bring up every pool, and only then say that it serves.
// When anything fails, what was opened is closed again, and nothing is left.

import { Pool } from "../pool/pool.ts";
import { Listener } from "../socket/listener.ts";
import { bringUp, whole } from "./bring-up.ts";
import { askCanaries } from "./canary.ts";
import { newGeneration, type World } from "./world.ts";

export async function startPools(world: World, signal: AbortSignal): Promise<void> {
  const opened: Listener[] = [];
  try {
    const number = ++world.generation;
    const generations = world.config.pools.map((pool) => {
      const listener = Listener.open(pool);
      opened.push(listener);
      world.emit({ type: "listening", pools: [pool.name], address: listener.name });
      return newGeneration(world, pool, listener, number);
    });
    await askCanaries(world, world.config.pools, number, signal);
    await bringUp(generations.map(whole), signal, () => {});
    for (const generation of generations) {
      world.pools.set(generation.context.pool.name, new Pool(generation));
    }
  } catch (error) {
    for (const listener of opened) listener.close();
    throw error;
  }
}
