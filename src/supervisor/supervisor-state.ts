// The state of the supervisor that its operations work on, and the ways that news and worker output take.

import type { Config, PoolConfig } from "../config/model.ts";
import type { Emit, OutputLine } from "../event.ts";
import { Fault } from "../fault.ts";
import type { Scoreboard } from "../observe/scoreboard.ts";
import { Generation } from "../pool/generation.ts";
import type { Pool } from "../pool/pool.ts";
import { runtimeOf } from "../runtime/registry.ts";
import type { InheritedSockets } from "../socket/inherited.ts";
import type { Listener } from "../socket/listener.ts";
import type { Guardian } from "../worker/guardian.ts";
import type { OutputRate } from "../worker/output-limits.ts";
import type { PoolRecord } from "./recovery/state-file.ts";

export interface RolledBack {
  /** The last generation that had it. */
  readonly to: number;
  /** Why, when nobody asked for it. */
  readonly why: string | null;
}

export interface SupervisorState {
  /** The config in force. */
  config: Config;
  /** Grows with every start, reload and restart. */
  generation: number;
  readonly pools: Map<string, Pool>;
  /** Which earlier config is in force instead of what the files say; null = none. */
  rolledBack: RolledBack | null;
  /** Pools that were stopped alone, until they are started or everything is reloaded. */
  readonly stopped: Set<string>;
  /** What an earlier supervisor left, while its workers leave. */
  leftOver: readonly PoolRecord[];
  /** Sockets that an operation in progress needs, and what for, whether or not a pool has them yet or still. */
  readonly claimed: Map<Listener, PoolConfig>;
  /** Writes down at once what there is, for a supervisor that may come after this one. */
  readonly save: () => void;
  /** Sockets that systemd handed over and no pool has yet. */
  readonly inherited: InheritedSockets;
  /** A service manager has copies of the sockets, for the next start. */
  readonly socketsAreStored: boolean;
  /** What the workers of all pools do. */
  readonly scoreboard: Scoreboard;
  /** Wakes parked workers when this process dies. */
  readonly guardian: Guardian;
  readonly emit: Emit;
  readonly output: (line: OutputLine) => void;
}

/** As much of it as there is before, or without, a supervisor. */
export type RecoveryContext = Pick<SupervisorState, "pools" | "inherited" | "scoreboard" | "emit">;

/** A generation of the pool on this listener, not started yet. */
export function newGeneration(
  state: SupervisorState,
  pool: PoolConfig,
  listener: Listener,
  number: number,
): Generation {
  const runtime = runtimeOf(pool);
  if (runtime === undefined)
    throw new Fault(`there is no runtime "${pool.runtime}"`, { where: `pool ${pool.name}` });
  const { scoreboard, guardian, emit, output } = state;
  const { stateDir } = state.config.supervisor;
  return new Generation({
    ...{ pool, runtime, number, listener, scoreboard, guardian, stateDir, emit, output },
  });
}

/** What the pool of this name may write into the log; one that has only just come up has the config's say. */
export function outputRate({ pools, config }: SupervisorState, name: string): OutputRate {
  const inForce = pools.get(name)?.config ?? config.pools.find((pool) => pool.name === name);
  return inForce?.logRate ?? CANARY_RATE;
}

/** A canary lives for one request, and has a name of its own. */
const CANARY_RATE = 65_536;

/** The pools in the order of the config. */
export function poolsInOrder(state: SupervisorState): Pool[] {
  return [...state.pools.values()];
}
