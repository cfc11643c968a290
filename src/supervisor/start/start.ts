// The story of a start: open every address (or take it back from workers that an earlier supervisor
// left), bring up every pool, and only then say that it serves. When anything fails, nothing of ours is
// left but the sockets, which the recovery closes again, or leaves to the earlier workers.

import type { PoolConfig } from "../../config/model.ts";
import { asFault, type Fault } from "../../fault.ts";
import { Pool } from "../../pool/pool.ts";
import type { Listener } from "../../socket/listener.ts";
import { bringUp, whole } from "./bring-up.ts";
import { askCanaries } from "./canary.ts";
import { eachLimited } from "./concurrency.ts";
import { preflight } from "./preflight.ts";
import type { OpenSocket } from "../recovery/recovery.ts";
import { newGeneration, type SupervisorState } from "../supervisor-state.ts";

/** Starts every pool, or none: rejects with the reason. */
export async function startPools(
  state: SupervisorState,
  open: OpenSocket,
  signal: AbortSignal,
): Promise<void> {
  const { pools } = state.config;
  const opened = new Map<string, Listener>();
  try {
    const number = ++state.generation;
    for (const pool of pools) {
      const listener = await open(pool);
      opened.set(pool.name, listener);
      state.claimed.set(listener, pool);
      state.emit({ type: "listening", pools: [pool.name], address: listener.name });
    }
    // Before the first worker starts: if the supervisor dies, they are found again.
    state.save();
    const generations = pools.map((pool) =>
      newGeneration(state, pool, opened.get(pool.name)!, number),
    );
    await askCanaries(state, pools, number, signal);
    await bringUp(generations.map(whole), signal, () => {});
    for (const generation of generations) {
      state.pools.set(generation.context.pool.name, new Pool(generation));
    }
  } finally {
    state.claimed.clear();
  }
}

/** `--keep-going`: starts each pool for itself. Returns why some failed; those are tried again and again. */
export async function startEachPool(
  state: SupervisorState,
  open: OpenSocket,
  signal: AbortSignal,
): Promise<Fault[]> {
  const number = ++state.generation;
  const failures: Fault[] = [];
  await eachLimited(state.config.pools, signal, async (pool) => {
    try {
      const listener = await open(pool);
      state.claimed.set(listener, pool);
      state.save();
      state.emit({ type: "listening", pools: [pool.name], address: listener.name });
      const failure = await startOne(state, pool, listener, number, signal);
      if (failure !== null) failures.push(failure);
    } catch (error) {
      signal.throwIfAborted();
      // Without its socket or its runtime a pool cannot even be tried again; a reload may mend it.
      failures.push(asFault(error));
    }
  }).finally(() => state.claimed.clear());
  return failures;
}

async function startOne(
  state: SupervisorState,
  pool: PoolConfig,
  listener: Listener,
  number: number,
  signal: AbortSignal,
): Promise<Fault | null> {
  const generation = newGeneration(state, pool, listener, number);
  try {
    await preflight(state.config, new Set([pool.name]));
    await askCanaries(state, [pool], number, signal);
    await generation.start(signal, null);
    state.pools.set(pool.name, new Pool(generation));
    return null;
  } catch (error) {
    if (signal.aborted) throw error;
    state.pools.set(pool.name, new Pool(generation));
    generation.keepTrying(async () => void (await preflight(state.config, new Set([pool.name]))));
    return asFault(error);
  }
}
