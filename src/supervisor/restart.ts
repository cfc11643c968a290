// The story of a restart: everything stops, everything starts, and the sockets stay open meanwhile,
// so that clients wait in the queue instead of being refused. The new config is checked before the
// first worker is stopped. If the new workers do not come up all the same, the old config is started
// again and again, because by then nothing else serves.

import { type Config } from "../config/model.ts";
import { asFault, Fault } from "../fault.ts";
import { sameAddress } from "../sys/address.ts";
import { Pool } from "../pool/pool.ts";
import { Listener } from "../socket/listener.ts";
import { bringUp } from "./bring-up.ts";
import type { Step } from "./report.ts";
import { newGeneration, poolsInOrder, type World } from "./world.ts";

export async function restartPools(
  world: World,
  next: Config,
  signal: AbortSignal,
  tell: (step: Step) => void,
): Promise<void> {
  const old = poolsInOrder(world);
  const kept = old.map(({ listener }) => listener);
  const listeners = acquire(world, next, kept);
  await Promise.all(old.map((pool) => pool.stop()));
  const number = ++world.generation;
  const generations = next.pools.map((pool) =>
    newGeneration(world, pool, listeners.get(pool.name)!, number),
  );
  try {
    await bringUp(generations, signal, ({ context }) =>
      tell({ step: "ready", pool: context.pool.name }),
    );
  } catch (error) {
    for (const listener of listeners.values()) if (!kept.includes(listener)) listener.close();
    if (!signal.aborted) insistOnOld(world, old, number);
    throw signal.aborted ? error : fallback(asFault(error));
  }
  world.pools.clear();
  for (const generation of generations)
    world.pools.set(generation.context.pool.name, new Pool(generation));
  world.config = next;
  for (const listener of kept) {
    if ([...listeners.values()].includes(listener)) continue;
    listener.close();
    world.emit({ type: "listener-closed", address: listener.name });
  }
}

/** The sockets of the next config: kept where the address stays, opened before anything is stopped. */
function acquire(world: World, next: Config, kept: readonly Listener[]): Map<string, Listener> {
  const found = new Map<string, Listener>();
  try {
    for (const pool of next.pools) {
      const same = kept.find(({ address }) => sameAddress(address, pool.listen.address));
      same?.change(pool);
      found.set(pool.name, same ?? Listener.open(pool));
      if (same === undefined) {
        world.emit({ type: "listening", pools: [pool.name], address: found.get(pool.name)!.name });
      }
    }
    return found;
  } catch (error) {
    for (const listener of found.values()) if (!kept.includes(listener)) listener.close();
    throw error;
  }
}

function insistOnOld(world: World, old: readonly Pool[], number: number): void {
  world.pools.clear();
  for (const { config, listener } of old) {
    const generation = newGeneration(world, config, listener, number);
    world.pools.set(config.name, new Pool(generation));
    generation.insist();
  }
}

function fallback(fault: Fault): Fault {
  return new Fault("the new workers did not come up; the old config is being started again", {
    hint: "correct what is wrong below and restart once more; `fcgivisor status` shows how the pools are",
    parts: [fault],
  });
}
