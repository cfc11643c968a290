// The story of a restart: everything stops, everything starts, and the sockets stay open meanwhile,
// so that clients wait in the queue instead of being refused. The new config is checked, and the new
// workers' health asked for, before the first worker is stopped. If the new workers do not come up all
// the same, the old config is started again and again, because by then nothing else serves.

import type { Config } from "../config/model.ts";
import { asFault, Fault } from "../fault.ts";
import { Pool } from "../pool/pool.ts";
import { sumOf, type Losses } from "../worker/losses.ts";
import { bringUp, whole } from "./bring-up.ts";
import { askCanaries } from "./canary.ts";
import type { ProgressStep } from "./operations/report.ts";
import { allListeners, changeInPlace, closeUnused, Sockets } from "./sockets.ts";
import { newGeneration, poolsInOrder, type World } from "./supervisor-state.ts";

export async function restartPools(
  world: World,
  next: Config,
  signal: AbortSignal,
  tell: (step: ProgressStep) => void,
): Promise<Losses> {
  const old = poolsInOrder(world);
  const before = allListeners(world);
  const sockets = Sockets.acquire(world, next.pools);
  const number = world.generation + 1;
  try {
    await askCanaries(world, next.pools, number, signal);
  } catch (error) {
    sockets.release();
    throw error;
  }
  const losses = await Promise.all(old.map((pool) => pool.stop()));
  world.generation = number;
  const generations = next.pools.map((pool) =>
    newGeneration(world, pool, sockets.of(pool), number),
  );
  try {
    await bringUp(generations.map(whole), signal, ({ context }) =>
      tell({ step: "ready", pool: context.pool.name }),
    );
  } catch (error) {
    if (!signal.aborted) keepTryingOld(world, old, number);
    sockets.release();
    closeUnused(world, before);
    throw signal.aborted ? error : fallback(asFault(error));
  }
  world.pools.clear();
  for (const generation of generations)
    world.pools.set(generation.context.pool.name, new Pool(generation));
  world.config = next;
  for (const pool of next.pools) changeInPlace(world, sockets.of(pool), pool);
  sockets.release();
  closeUnused(world, before);
  return sumOf(losses);
}

/** Pools of the config in force, that is: those that were leaving are gone for good. */
function keepTryingOld(world: World, old: readonly Pool[], number: number): void {
  const wanted = new Set(world.config.pools.map(({ name }) => name));
  world.pools.clear();
  for (const { config, listener } of old.filter(({ name }) => wanted.has(name))) {
    const generation = newGeneration(world, config, listener, number);
    world.pools.set(config.name, new Pool(generation));
    generation.keepTrying();
  }
}

function fallback(fault: Fault): Fault {
  return new Fault("the new workers did not come up; the old config is being started again", {
    hint: "correct what is wrong below and restart once more; `fcgivisor status` shows how the pools are",
    parts: [fault],
  });
}
