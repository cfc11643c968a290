// The story of a restart: everything stops, everything starts, and the sockets stay open meanwhile,
// so that clients wait in the queue instead of being refused. The new config is checked, and the new
// workers' health asked for, before the first worker is stopped. If the new workers do not come up all
// the same, the old config is started again and again, because by then nothing else serves.

import type { Config } from "../config/model.ts";
import { asFault, Fault } from "../fault.ts";
import { Pool } from "../pool/pool.ts";
import { sumOf, type Losses } from "../worker/losses.ts";
import { bringUp, whole } from "./start/bring-up.ts";
import { askCanaries } from "./start/canary.ts";
import type { ProgressStep } from "./operations/report.ts";
import { allListeners, changeForGood, closeUnused, Sockets } from "./sockets.ts";
import { newGeneration, poolsInOrder, type SupervisorState } from "./supervisor-state.ts";

export async function restartPools(
  state: SupervisorState,
  next: Config,
  isTouched: (pool: string) => boolean,
  signal: AbortSignal,
  tell: (step: ProgressStep) => void,
): Promise<Losses> {
  const old = poolsInOrder(state).filter(({ name }) => isTouched(name));
  const wanted = next.pools.filter(({ name }) => isTouched(name));
  const before = allListeners(state);
  const sockets = Sockets.acquire(state, wanted);
  const number = state.generation + 1;
  try {
    await askCanaries(state, wanted, number, signal);
  } catch (error) {
    sockets.release();
    throw error;
  }
  const losses = await Promise.all(old.map((pool) => pool.stop()));
  state.generation = number;
  const generations = wanted.map((pool) => newGeneration(state, pool, sockets.of(pool), number));
  try {
    await bringUp(generations.map(whole), signal, ({ context }) =>
      tell({ step: "ready", pool: context.pool.name }),
    );
  } catch (error) {
    if (!signal.aborted) keepTryingOld(state, old, number);
    sockets.release();
    closeUnused(state, before);
    throw signal.aborted ? error : fallback(asFault(error));
  }
  for (const { name } of old) state.pools.delete(name);
  for (const generation of generations)
    state.pools.set(generation.context.pool.name, new Pool(generation));
  sortPools(state, next);
  state.config = next;
  for (const pool of wanted) changeForGood(state, sockets.of(pool), pool);
  sockets.release();
  closeUnused(state, before);
  return sumOf(losses);
}

/** Pools of the config in force, that is: those that were leaving are gone for good. */
function keepTryingOld(state: SupervisorState, old: readonly Pool[], number: number): void {
  const wanted = new Set(state.config.pools.map(({ name }) => name));
  for (const { name } of old) state.pools.delete(name);
  for (const { config, listener } of old.filter(({ name }) => wanted.has(name))) {
    const generation = newGeneration(state, config, listener, number);
    state.pools.set(config.name, new Pool(generation));
    generation.keepTrying();
  }
  sortPools(state, state.config);
}

/** In the order of the config; what it does not have leaves already, and comes last. */
function sortPools({ pools }: SupervisorState, config: Config): void {
  const place = new Map(config.pools.map(({ name }, i) => [name, i]));
  const at = (name: string) => place.get(name) ?? place.size;
  const sorted = [...pools].toSorted(([a], [b]) => at(a) - at(b));
  pools.clear();
  for (const [name, pool] of sorted) pools.set(name, pool);
}

function fallback(fault: Fault): Fault {
  return new Fault("the new workers did not come up; the old config is being started again", {
    hint: "correct what is wrong below and restart once more; `fcgivisor status` shows how the pools are",
    parts: [fault],
  });
}
