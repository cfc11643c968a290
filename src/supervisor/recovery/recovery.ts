// The story of a start after a supervisor has died: its workers went on serving. Their sockets are
// taken back out of them, new generations come up on the very same sockets, and then the old workers
// are asked to leave. No client notices.

import { rmSync } from "node:fs";
import type { PoolConfig } from "../../config/model.ts";
import { RUNTIMES } from "../../runtime/registry.ts";
import { generic } from "../../runtime/generic.ts";
import { boundAddress } from "../../socket/bound.ts";
import { takeBack } from "../../socket/handover.ts";
import { Listener, type Maker } from "../../socket/listener.ts";
import { inodesOn } from "../../socket/open.ts";
import { type Address, addressText, sameAddress } from "../../sys/address.ts";
import { now } from "../../sys/clock.ts";
import { closeSocket, endListening } from "../../sys/socket.ts";
import { drainStrays, findStrays, type Strays } from "../../worker/strays.ts";
import { handedOver } from "../sockets.ts";
import type { PoolRecord } from "./state-file.ts";
import { recordOfConfig } from "./state-records.ts";
import type { Ground } from "../supervisor-state.ts";

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
  /** Of the sockets they serve on. */
  readonly records: readonly PoolRecord[];
  /** Addresses whose socket could not be taken back, and was opened anew. */
  readonly reopened: readonly string[];
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
  /** To be called after that when the whole service is to end: the old workers with it. */
  dismiss(): Promise<void>;
}

/** Looks for what the earlier supervisor left. Takes copies of sockets, and touches nothing else. */
export function recover(
  world: Ground,
  records: readonly PoolRecord[],
  handed: Readonly<Record<string, number>>,
): Recovery {
  const found = records
    .map((record) => legacyOf(world, record, handed[record.inode]))
    .filter((legacy) => legacy !== null);
  const unused = new Set(found);
  const adopted: Listener[] = [];
  const impatience = new AbortController();
  const reopened: string[] = [];

  async function open(pool: PoolConfig): Promise<Listener> {
    const legacy = found.find(({ record }) => sameAddress(record.address, pool.listen.address));
    const address = addressText(pool.listen.address);
    if (legacy !== undefined) unused.delete(legacy);
    const kept = keptSocket(world, pool, legacy);
    if (kept !== null) adopted.push(kept);
    if (kept !== null && legacy !== undefined) {
      const after = legacy.record.inode in handed ? "upgrade" : "death";
      world.emit({ type: "recovered", after, pool: pool.name, address, workers: legacy.holders });
    }
    if (kept !== null) return kept;
    if (legacy === undefined || "fd" in legacy.socket) return Listener.open(pool);
    const since = now();
    await drainStrays(straysOf(world, legacy.record, impatience.signal));
    const listener = Listener.open(pool);
    reopened.push(address);
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
    for (const { record, socket } of unused) closeUnused(record, socket, makerOf(world, record));
  }

  function giveUp(): void {
    for (const listener of adopted) listener.abandon();
    for (const { socket } of unused) if ("fd" in socket) closeSocket(socket.fd);
  }

  async function dismiss(): Promise<void> {
    await Promise.all(
      found.map(async ({ record }) => {
        await drainStrays(straysOf(world, record, impatience.signal));
        await endRest(world, record);
      }),
    );
  }

  return {
    workers: found.reduce((sum, { holders }) => sum + holders, 0),
    records: found.map(({ record }) => record),
    reopened,
    open,
    isAdopted: (listener) => adopted.includes(listener),
    relieve,
    hurry: () => impatience.abort(),
    giveUp,
    dismiss,
  };
}

function legacyOf(world: Ground, record: PoolRecord, handed: number | undefined): Legacy | null {
  const taken = takeBack(record.address, record.inode, handed);
  if (taken.got === "socket")
    return { record, holders: taken.holders.length, socket: { fd: taken.fd } };
  if (taken.got === "refused")
    return { record, holders: taken.holders.length, socket: { why: taken.why } };
  const hidden = findStrays(straysOf(world, record, new AbortController().signal)).length;
  if (hidden === 0) return null;
  return { record, holders: hidden, socket: { why: "there is no right to look into its workers" } };
}

/** systemd's copy outlives even the last worker, and needs no right to look into one; else the workers' own. */
function keptSocket(world: Ground, pool: PoolConfig, legacy: Legacy | undefined): Listener | null {
  const own = legacy !== undefined && "fd" in legacy.socket ? legacy.socket.fd : null;
  const handed = handedOver(world, pool);
  if (handed !== null && own !== null) closeSocket(own);
  if (handed !== null || own === null) return handed;
  return Listener.adopt(pool, own, world.inherited.makerOf(boundAddress(pool.listen.address)));
}

function straysOf(world: Ground, record: PoolRecord, hurry: AbortSignal): Strays {
  const { name, address, inode, command } = record;
  return {
    pool: { name, stopSignal: record.stop_signal, drainTimeoutMs: record.drain_timeout_ms },
    runtime: RUNTIMES.find((runtime) => runtime.name === record.runtime) ?? generic,
    address,
    inode,
    command,
    groups: record.groups.map(({ pid, start_time }) => ({ pid, startTime: start_time })),
    own: () => ownGroups(world),
    emit: world.emit,
    hurry,
  };
}

function ownGroups(world: Ground): Set<number> {
  const generations = [...world.pools.values()].flatMap((pool) => [pool.current, ...pool.leaving]);
  return new Set(generations.flatMap(({ all }) => all.map(({ leader }) => leader.pid)));
}

function makerOf({ inherited }: Ground, { maker, address }: PoolRecord): Maker {
  return maker === "systemd" ? maker : inherited.makerOf(address);
}

/** The socket of a pool that the config no longer has: its workers have left, so it ends here. */
function closeUnused({ address }: PoolRecord, socket: Legacy["socket"], maker: Maker): void {
  if (!("fd" in socket)) return;
  closeSocket(socket.fd);
  if (maker !== "systemd") removeFile(address);
}

/** What scripts left in the background goes last; what not even KILL ends loses the socket, so that the address is free. */
async function endRest(world: Ground, record: PoolRecord): Promise<void> {
  await drainStrays({ ...straysOf(world, record, AbortSignal.abort()), command: null });
  if (makerOf(world, record) === "systemd") return;
  const taken = takeBack(record.address, record.inode, undefined);
  if (taken.got === "socket") {
    endListening(taken.fd);
    closeSocket(taken.fd);
  }
  removeFile(record.address);
}

function removeFile(address: Address): void {
  if (address.kind === "unix") rmSync(address.path, { force: true });
}

/** What a supervisor would have left, when it left nothing: whoever listens on the pools' addresses. */
export function recordsByAddress(pools: readonly PoolConfig[]): PoolRecord[] {
  return pools.flatMap((pool) => {
    const address = boundAddress(pool.listen.address);
    return inodesOn(address).map((inode) => recordOfConfig(pool, address, inode));
  });
}
