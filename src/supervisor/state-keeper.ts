// Keeps the state file in step with the world. That a socket is there is written at once; which
// groups serve on it can wait a moment. A full disk is told once and tried again; the service goes on.

import { asFault } from "../fault.ts";
import { after } from "../sys/clock.ts";
import { processStat } from "../sys/procfs.ts";
import type { Pool } from "../pool/pool.ts";
import { type PoolRecord, removeState, type State, writeState } from "./state-file.ts";
import { STATE_FORMAT } from "./state-format.ts";
import { poolsInOrder, type World } from "./world.ts";

export interface StateKeeper {
  /** Something less important changed: saved within a second. */
  changed(): void;
  save(): void;
  /** At a clean end nothing is left to recover. */
  remove(): void;
}

const LAZY_MS = 1000;

export function keepState(world: World, version: string): StateKeeper {
  const { stateDir } = world.config.supervisor;
  let written = "";
  let failing = false;
  let cancel: (() => void) | null = null;

  function save(): void {
    cancel?.();
    cancel = null;
    const state = stateOf(world, version);
    const text = JSON.stringify(state);
    if (text === written) return;
    try {
      writeState(stateDir, state);
      written = text;
      failing = false;
    } catch (error) {
      if (!failing)
        world.emit({
          type: "trouble",
          fault: asFault(error, "cannot write the state file; trying again").toJSON(),
        });
      failing = true;
      changed();
    }
  }

  function changed(): void {
    cancel ??= after(LAZY_MS, save);
  }

  function remove(): void {
    cancel?.();
    removeState(stateDir);
  }

  return { changed, save, remove };
}

function stateOf(world: World, version: string): State {
  const pools = poolsInOrder(world).flatMap(records);
  return { format: STATE_FORMAT, version, pid: process.pid, generation: world.generation, pools };
}

/** One record a socket: a pool that moves has two while its old workers leave. */
function records(pool: Pool): PoolRecord[] {
  const generations = [pool.current, ...pool.leaving];
  const listeners = new Set(generations.map(({ context }) => context.listener));
  return [...listeners].map((listener) => {
    const groups = generations
      .filter(({ context }) => context.listener === listener)
      .flatMap(({ all }) => all);
    const serving = groups.find(({ state }) => state === "serving");
    return {
      name: pool.name,
      address: listener.address,
      inode: String(listener.inode),
      runtime: pool.current.context.runtime.name,
      command: serving === undefined ? null : (processStat(serving.leader.pid)?.command ?? null),
      stop_signal: pool.config.stopSignal,
      drain_timeout_ms: pool.config.drainTimeoutMs,
      groups: groups.map(({ leader }) => ({ pid: leader.pid, start_time: leader.startTime })),
    };
  });
}
