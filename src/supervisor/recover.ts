// The story of a start after a supervisor has died: its workers went on serving. Their sockets are
// taken back out of them, new generations come up on the very same sockets, and then the old workers
// are asked to leave. No client notices.

import { unlinkSync } from "node:fs";
import type { PoolConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import { RUNTIMES, runtimeOf } from "../runtime/registry.ts";
import { generic } from "../runtime/generic.ts";
import { boundAddress } from "../socket/bound.ts";
import { takeBack } from "../socket/handover.ts";
import { Listener } from "../socket/listener.ts";
import { inodesOn } from "../socket/open.ts";
import { addressText, sameAddress } from "../sys/address.ts";
import { now } from "../sys/clock.ts";
import { closeSocket } from "../sys/socket.ts";
import { drainStrays, type Strays } from "../worker/strays.ts";
import type { PoolRecord } from "./state-file.ts";
import type { World } from "./world.ts";

/** What an earlier supervisor left of one pool. */
interface Legacy {
  readonly record: PoolRecord;
  readonly holders: number;
  /** Our copy of the socket, or why it could not be had. */
  readonly socket: { readonly fd: number } | { readonly why: string };
}

export interface Recovery {
  /** How many processes of the earlier supervisor still serve. */
  readonly workers: number;
  /** Opens a pool's socket: the one that was left, where there is one. */
  open(pool: PoolConfig): Promise<Listener>;
  /** Whether the socket was taken back, and so is not ours to close when the start fails. */
  isAdopted(listener: Listener): boolean;
  /** To be called when the new generations serve: lets the old workers leave. */
  relieve(): Promise<void>;
  /** Ends the patience with them, for a stop. */
  hurry(): void;
  /** To be called when the start failed: leaves everything to the old workers. */
  giveUp(): void;
}

/** Looks for what the earlier supervisor left. Takes copies of sockets, and touches nothing else. */
export function recover(
  world: World,
  records: readonly PoolRecord[],
  handed: Readonly<Record<string, number>>,
): Recovery {
  const found = records
    .map((record) => legacyOf(record, handed[record.inode]))
    .filter((legacy) => legacy !== null);
  const unused = new Set(found);
  const adopted: Listener[] = [];
  const impatience = new AbortController();

  async function open(pool: PoolConfig): Promise<Listener> {
    const legacy = found.find(({ record }) => sameAddress(record.address, pool.listen.address));
    if (legacy === undefined) return Listener.open(pool);
    unused.delete(legacy);
    const address = addressText(pool.listen.address);
    if ("fd" in legacy.socket) {
      const listener = Listener.adopt(pool, legacy.socket.fd);
      adopted.push(listener);
      const after = legacy.record.inode in handed ? "upgrade" : "death";
      world.emit({ type: "recovered", after, pool: pool.name, address, workers: legacy.holders });
      return listener;
    }
    const since = now();
    await drainStrays(straysOf(world, legacy.record, impatience.signal));
    const listener = Listener.open(pool);
    world.emit({
      type: "recovered-with-gap",
      pool: pool.name,
      address,
      workers: legacy.holders,
      why: legacy.socket.why,
      gapMs: now() - since,
    });
    return listener;
  }

  async function relieve(): Promise<void> {
    await Promise.all(
      found.map(({ record }) => drainStrays(straysOf(world, record, impatience.signal))),
    );
    for (const { record, socket } of unused) closeUnused(record, socket);
  }

  function giveUp(): void {
    for (const listener of adopted) listener.abandon();
    for (const { socket } of unused) if ("fd" in socket) closeSocket(socket.fd);
  }

  return {
    workers: found.reduce((sum, { holders }) => sum + holders, 0),
    open,
    isAdopted: (listener) => adopted.includes(listener),
    relieve,
    hurry: () => impatience.abort(),
    giveUp,
  };
}

function legacyOf(record: PoolRecord, handed: number | undefined): Legacy | null {
  const taken = takeBack(record.address, record.inode, handed);
  if (taken.got === "nobody") return null;
  const socket = taken.got === "socket" ? { fd: taken.fd } : { why: taken.why };
  return { record, holders: taken.holders.length, socket };
}

function straysOf(world: World, record: PoolRecord, hurry: AbortSignal): Strays {
  const { name, address, inode, command } = record;
  return {
    pool: { name, stopSignal: record.stop_signal, drainTimeoutMs: record.drain_timeout_ms },
    runtime: RUNTIMES.find((runtime) => runtime.name === record.runtime) ?? generic,
    address,
    inode,
    command,
    own: () => ownGroups(world),
    emit: world.emit,
    hurry,
  };
}

function ownGroups(world: World): Set<number> {
  const generations = [...world.pools.values()].flatMap((pool) => [pool.current, ...pool.leaving]);
  return new Set(generations.flatMap(({ all }) => all.map(({ leader }) => leader.pid)));
}

/** The socket of a pool that the config no longer has: its workers have left, so it ends here. */
function closeUnused({ address }: PoolRecord, socket: Legacy["socket"]): void {
  if (!("fd" in socket)) return;
  closeSocket(socket.fd);
  if (address.kind !== "unix") return;
  try {
    unlinkSync(address.path);
  } catch (error) {
    // Somebody else has removed it, which is as well.
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
}

/** What a supervisor would have left, when it left nothing: whoever listens on the pools' addresses. */
export function recordsByAddress(pools: readonly PoolConfig[]): PoolRecord[] {
  return pools.flatMap((pool) => {
    const address = boundAddress(pool.listen.address);
    return inodesOn(address).map((inode) => ({
      name: pool.name,
      address,
      inode,
      runtime: runtimeName(pool),
      command: null,
      stop_signal: pool.stopSignal,
      drain_timeout_ms: pool.drainTimeoutMs,
      groups: [],
    }));
  });
}

function runtimeName(pool: PoolConfig): string {
  const runtime = runtimeOf(pool);
  if (runtime === undefined)
    throw new Fault(`there is no runtime "${pool.runtime}"`, { where: `pool ${pool.name}` });
  return runtime.name;
}
