// The story of a reload, all or nothing: the new generations come up beside the old on the same
// sockets; only when every one is ready do the old drain. Whatever fails before leaves everything as
// it was. A shared socket has no switch: "swap" moves responsibility, not traffic.

import { type Change, diffConfigs, type Plan } from "../config/diff.ts";
import type { Config, PoolConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import type { Generation } from "../pool/generation.ts";
import { Pool } from "../pool/pool.ts";
import { Listener } from "../socket/listener.ts";
import { sameAddress } from "../sys/address.ts";
import { bringUp } from "./bring-up.ts";
import { planOutcomes } from "./plan.ts";
import type { PoolOutcome, Step } from "./report.ts";
import { newGeneration, poolsInOrder, type World } from "./world.ts";

export interface Reloaded {
  readonly pools: readonly PoolOutcome[];
  /** Settings that the reload could not change. */
  readonly needsRestart: readonly Change[];
  /** Resolves when the old generations have left and unused sockets are closed. */
  readonly drained: Promise<void>;
}

/** The config that a reload of some pools only leads to: the running one with those replaced. */
export function limitedTo(only: readonly string[], running: Config, next: Config): Config {
  if (only.length === 0) return next;
  const known = new Set([...running.pools, ...next.pools].map(({ name }) => name));
  const unknown = only.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Fault(`there is no pool ${unknown.map((name) => `"${name}"`).join(", ")}`, {
      hint: `pools are ${[...known].join(", ")}`,
    });
  }
  const chosen = (pool: PoolConfig) => only.includes(pool.name);
  const kept = running.pools.filter((pool) => !chosen(pool));
  return { ...running, pools: [...kept, ...next.pools.filter(chosen)] };
}

/** The plan of such a reload: what becomes of each pool it is about. */
export function planned(
  running: Config,
  next: Config,
  only: readonly string[],
): { readonly pools: readonly PoolOutcome[]; readonly needsRestart: readonly Change[] } {
  const plan = diffConfigs(running, next);
  return {
    pools: planOutcomes(plan, touchedNames(plan, next.pools, only)),
    needsRestart: plan.needsRestart,
  };
}

function touchedNames(
  plan: Plan,
  pools: readonly PoolConfig[],
  only: readonly string[],
): Set<string> {
  const all = [...pools, ...plan.removed].map(({ name }) => name);
  return new Set(only.length === 0 ? all : all.filter((name) => only.includes(name)));
}

/** Runs the reload up to the swap. `only`: the pools to touch; empty = all. */
export async function reload(
  world: World,
  next: Config,
  only: readonly string[],
  signal: AbortSignal,
  tell: (step: Step) => void,
): Promise<Reloaded> {
  const plan = diffConfigs(world.config, next);
  const summary = planned(world.config, next, only);
  const touched = next.pools.filter(({ name }) => only.length === 0 || only.includes(name));
  const sockets = acquire(world, touched);
  const undo: (() => void)[] = [];
  let generations: Generation[] = [];
  try {
    const number = world.generation + 1;
    generations = touched.map((pool) => newGeneration(world, pool, sockets.of(pool), number));
    await bringUp(generations, signal, ({ context }) =>
      tell({ step: "ready", pool: context.pool.name }),
    );
    for (const pool of touched) undo.push(changeInPlace(world, sockets.of(pool), pool));
    world.generation = number;
  } catch (error) {
    for (const restore of undo.reverse()) restore();
    await Promise.all(generations.map((generation) => generation.stop()));
    sockets.release();
    throw error;
  }
  const old = swap(world, next, generations, plan);
  tell({ step: "swapped" });
  return { ...summary, drained: leave(world, old) };
}

interface Sockets {
  of(pool: PoolConfig): Listener;
  /** Closes what was opened anew. */
  release(): void;
}

/** For every pool the socket there is, or a new one. Throws when one cannot be opened; then none is left open. */
function acquire(world: World, pools: readonly PoolConfig[]): Sockets {
  const found = new Map<string, Listener>();
  const opened: Listener[] = [];
  const release = () => opened.forEach((listener) => listener.close());
  try {
    for (const pool of pools) {
      const listener = existing(world, pool) ?? Listener.open(pool);
      if (existing(world, pool) === undefined) {
        opened.push(listener);
        world.emit({ type: "listening", pools: [pool.name], address: listener.name });
      }
      found.set(pool.name, listener);
    }
  } catch (error) {
    release();
    throw error;
  }
  return { of: ({ name }) => found.get(name)!, release };
}

/** A pool that is still leaving may hold the socket, or another one that gives it up now. */
function existing(world: World, pool: PoolConfig): Listener | undefined {
  return allListeners(world).find(({ address }) => sameAddress(address, pool.listen.address));
}

function allListeners(world: World): Listener[] {
  return [...world.pools.values()].flatMap((pool) => [
    pool.listener,
    ...pool.leaving.map(({ context }) => context.listener),
  ]);
}

/** Applies backlog, owner, mode and allowed clients to a socket that lives on; returns the way back. */
function changeInPlace(world: World, listener: Listener, next: PoolConfig): () => void {
  const before = listener.spec;
  const changes = listener.change(next);
  if (changes.length > 0) {
    world.emit({ type: "listener-changed", address: listener.name, what: changes.join(", ") });
  }
  return () => void listener.change(before);
}

interface Leaver {
  readonly pool: Pool;
  readonly generation: Generation;
}

function swap(
  world: World,
  next: Config,
  generations: readonly Generation[],
  plan: Plan,
): Leaver[] {
  const leavers: Leaver[] = [];
  for (const generation of generations) {
    const pool = world.pools.get(generation.context.pool.name);
    if (pool === undefined) world.pools.set(generation.context.pool.name, new Pool(generation));
    else leavers.push({ pool, generation: pool.swap(generation) });
  }
  for (const { name } of plan.removed) {
    const pool = world.pools.get(name);
    if (pool !== undefined) leavers.push({ pool, generation: pool.current });
  }
  world.config = next;
  return leavers;
}

async function leave(world: World, leavers: readonly Leaver[]): Promise<void> {
  await Promise.all(leavers.map(({ pool, generation }) => pool.retire(generation)));
  const wanted = new Set(world.config.pools.map(({ name }) => name));
  const before = new Set([
    ...allListeners(world),
    ...leavers.map(({ generation }) => generation.context.listener),
  ]);
  for (const pool of poolsInOrder(world)) {
    if (!wanted.has(pool.name) && pool.leaving.length === 0) world.pools.delete(pool.name);
  }
  const used = new Set(allListeners(world));
  for (const listener of before) {
    if (used.has(listener)) continue;
    listener.close();
    world.emit({ type: "listener-closed", address: listener.name });
  }
}
