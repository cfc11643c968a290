// What the state file says of the sockets there are: one record a socket, whoever serves on it. Old and
// new workers may share one, those of another pool too while addresses are swapped, and those of an
// earlier supervisor while they leave; what a record says holds for all of them.

import type { PoolConfig } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import type { Generation } from "../../pool/generation.ts";
import type { Pool } from "../../pool/pool.ts";
import { generic } from "../../runtime/generic.ts";
import { runtimeOf } from "../../runtime/registry.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { Listener } from "../../socket/listener.ts";
import type { Address } from "../../sys/socket/address.ts";
import { findUser } from "../../sys/machine/users.ts";
import { processStat } from "../../sys/proc/procfs.ts";
import type { PoolRecord } from "./state-file.ts";
import { poolsInOrder, type SupervisorState } from "../supervisor-state.ts";

export function stateRecords(state: SupervisorState): PoolRecord[] {
  const records = poolsInOrder(state).flatMap((pool) =>
    [pool.current, ...pool.leaving].map((generation) => recordOf(pool, generation)),
  );
  const claimed = [...state.claimed].map(([listener, pool]) => claimOf(state, listener, pool));
  return mergedRecords([...records, ...claimed, ...state.leftOver]);
}

function recordOf(pool: Pool, { all, context }: Generation): PoolRecord {
  const { listener, runtime } = context;
  return {
    name: pool.name,
    address: listener.address,
    inode: String(listener.inode),
    maker: listener.maker,
    runtime: runtime.name,
    command: programOf(pool, context),
    stop_signal: context.pool.stopSignal,
    drain_timeout_ms: context.pool.drainTimeoutMs,
    uid: uidOf(context.pool, runtime),
    groups: all.map(({ leader }) => ({ pid: leader.pid, start_time: leader.startTime })),
  };
}

/** Of a pool whose new workers are coming up. */
function claimOf(state: SupervisorState, listener: Listener, pool: PoolConfig): PoolRecord {
  const running = state.pools.get(pool.name);
  const command = running === undefined ? null : programOf(running, { pool, listener });
  const { address, inode, maker } = listener;
  return { ...recordOfConfig(pool, address, String(inode)), maker, command };
}

/** Of a socket that is only known by the pool it is for. */
export function recordOfConfig(pool: PoolConfig, address: Address, inode: string): PoolRecord {
  const runtime = runtimeOf(pool);
  if (runtime === undefined)
    throw new Fault(`there is no runtime "${pool.runtime}"`, { where: `pool ${pool.name}` });
  return {
    name: pool.name,
    address,
    inode,
    maker: "fcgivisor",
    runtime: runtime.name,
    command: null,
    stop_signal: pool.stopSignal,
    drain_timeout_ms: pool.drainTimeoutMs,
    uid: uidOf(pool, runtime),
    groups: [],
  };
}

/** Only root's workers can run as another user; where the program takes it on itself, its leader does not. */
function uidOf({ user }: PoolConfig, { confinesWorkers }: Runtime): number | null {
  const own = process.geteuid!();
  if (own === 0 && confinesWorkers) return null;
  return own !== 0 || user === null ? own : (findUser(user)?.uid ?? null);
}

/** As the current generation shows it, whose leaders live. */
function programOf(
  { current }: Pool,
  { pool, listener }: Pick<Generation["context"], "pool" | "listener">,
): string | null {
  const isSame =
    pool.command.join("\0") === current.context.pool.command.join("\0") &&
    listener === current.context.listener;
  const serving = isSame ? current.all.find(({ state }) => state === "serving") : undefined;
  return serving === undefined ? null : (processStat(serving.leader.pid)?.command ?? null);
}

/** One record a socket. Where two do not agree, it says what does no harm to either. */
export function mergedRecords(records: readonly PoolRecord[]): PoolRecord[] {
  const merged = new Map<string, PoolRecord>();
  for (const record of records) {
    const other = merged.get(record.inode);
    merged.set(record.inode, other === undefined ? record : both(other, record));
  }
  return [...merged.values()];
}

function both(one: PoolRecord, two: PoolRecord): PoolRecord {
  return {
    ...one,
    runtime: one.runtime === two.runtime ? one.runtime : generic.name,
    command: one.command === two.command ? one.command : null,
    stop_signal: one.stop_signal === two.stop_signal ? one.stop_signal : null,
    drain_timeout_ms: Math.max(one.drain_timeout_ms, two.drain_timeout_ms),
    uid: one.uid === two.uid ? one.uid : null,
    groups: [...one.groups, ...two.groups],
  };
}
