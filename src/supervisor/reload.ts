// The story of a reload, all or nothing: the new generations come up beside the old on the same
// sockets; only when every one is ready do the old drain. Whatever fails before leaves everything as
// it was. A shared socket has no switch: "swap" moves responsibility, not traffic.

import type { Config } from "../config/model.ts";
import { asFault, Fault } from "../fault.ts";
import type { Generation } from "../pool/generation.ts";
import { Pool } from "../pool/pool.ts";
import { sumOf, type Losses } from "../worker/losses.ts";
import type { Listener } from "../socket/listener.ts";
import { ANYBODY, SocketHolders } from "../sys/proc/proc-sockets.ts";
import { bringUp, type Candidate } from "./start/bring-up.ts";
import { askCanaries } from "./start/canary.ts";
import type { ProgressStep } from "./operations/report.ts";
import { endControlGroup } from "./shutdown.ts";
import { changeInPlace, closeUnused, Sockets } from "./sockets.ts";
import { newGeneration, poolsInOrder, type SupervisorState } from "./supervisor-state.ts";

/** Runs the reload up to the swap. Resolves with what is left to do: the drain. */
export async function reload(
  state: SupervisorState,
  next: Config,
  isTouched: (pool: string) => boolean,
  signal: AbortSignal,
  tell: (step: ProgressStep) => void,
): Promise<{ readonly drained: Promise<Losses> }> {
  const touched = next.pools.filter(({ name }) => isTouched(name));
  const sockets = Sockets.acquire(state, touched);
  const undo: (() => void)[] = [];
  const number = state.generation + 1;
  let candidates: Candidate[] = [];
  try {
    candidates = touched.map((pool) => ({
      generation: newGeneration(state, pool, sockets.of(pool), number),
      beside: state.pools.get(pool.name)?.current ?? null,
    }));
    await askCanaries(state, touched, number, signal);
    await bringUp(candidates, signal, ({ context }) =>
      tell({ step: "ready", pool: context.pool.name }),
    );
    for (const pool of touched) undo.push(changeInPlace(state, sockets.of(pool), pool));
  } catch (error) {
    for (const restore of undo.reverse()) restore();
    await Promise.all(candidates.map(({ generation }) => generation.stop()));
    sockets.release();
    throw error;
  }
  state.generation = number;
  const leavers = swap(state, next, candidates);
  sockets.release();
  const failures = await rollOn(state, leavers, signal);
  tell({ step: "swapped" });
  const drained = leave(state, leavers);
  if (failures.length === 0) return { drained };
  drained.catch(() => {});
  throw new Fault("some pools went back to their old workers; the others were reloaded", {
    hint: "correct what is wrong below and reload once more",
    parts: failures,
  });
}

/** A pool and the generation of it that has to go. */
interface Leaver {
  readonly pool: Pool;
  generation: Generation;
}

/** From here on the new generations are responsible. Pools that the config no longer has leave as they are. */
function swap(state: SupervisorState, next: Config, candidates: readonly Candidate[]): Leaver[] {
  const leavers: Leaver[] = [];
  for (const { generation } of candidates) {
    const { name } = generation.context.pool;
    const pool = state.pools.get(name);
    if (pool === undefined) state.pools.set(name, new Pool(generation));
    else leavers.push({ pool, generation: pool.swap(generation) });
  }
  const wanted = new Set(next.pools.map(({ name }) => name));
  for (const pool of poolsInOrder(state)) {
    if (!wanted.has(pool.name)) leavers.push({ pool, generation: pool.current });
  }
  state.config = next;
  return leavers;
}

/** Pools whose bound on extra workers did not let all new ones come up at once go on in steps; one that fails goes back. */
async function rollOn(
  state: SupervisorState,
  leavers: readonly Leaver[],
  signal: AbortSignal,
): Promise<Fault[]> {
  const failures: Fault[] = [];
  await Promise.all(
    leavers.map(async (leaver) => {
      const { pool, generation: old } = leaver;
      if (pool.current === old || pool.current.wantsAll) return;
      try {
        await pool.current.replace(old, signal);
      } catch (error) {
        signal.throwIfAborted();
        failures.push(asFault(error));
        await goBack(state, leaver, signal);
      }
    }),
  );
  return failures;
}

/** The way back goes by the same steps: never fewer workers than configured. */
async function goBack(state: SupervisorState, leaver: Leaver, signal: AbortSignal): Promise<void> {
  const { pool, generation: old } = leaver;
  const failed = pool.swap(old);
  leaver.generation = failed;
  const kept = old.context.pool;
  const pools = state.config.pools.map((config) => (config.name === kept.name ? kept : config));
  state.config = { ...state.config, pools };
  try {
    await old.replace(failed, signal);
  } catch {
    signal.throwIfAborted();
    // The old ones do not come up at once either: they are tried again and again from here on.
    old.keepTrying();
  }
}

async function leave(state: SupervisorState, leavers: readonly Leaver[]): Promise<Losses> {
  await Promise.all(
    leavers.map(async ({ pool, generation }) => {
      await pool.retire(generation);
      forget(state, pool);
      closeLeft(state, generation.context.listener);
    }),
  );
  return sumOf(leavers.map(({ generation }) => generation.losses));
}

/** A pool that the config no longer has ends with its last worker. */
function forget(state: SupervisorState, pool: Pool): void {
  const wanted = state.config.pools.some(({ name }) => name === pool.name);
  if (wanted || pool.leaving.length > 0 || state.pools.get(pool.name) !== pool) return;
  state.pools.delete(pool.name);
  void endControlGroup(state, pool.name);
}

/** An address is free when its own last worker has left, however long those of other pools take. */
function closeLeft(state: SupervisorState, listener: Listener): void {
  if (closeUnused(state, [listener]).length === 0) return;
  const pids = new SocketHolders().of(String(listener.inode), ANYBODY).map(({ pid }) => pid);
  if (pids.length > 0) state.emit({ type: "socket-held", address: listener.name, pids });
}
