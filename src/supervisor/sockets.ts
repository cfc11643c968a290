// The sockets a config needs: those there are, those that must be opened, and those nobody uses any
// more. One address is one Listener, whichever pool it belongs to.

import type { PoolConfig } from "../config/model.ts";
import { boundAddress } from "../socket/bound.ts";
import { Listener } from "../socket/listener.ts";
import { addressText, sameAddress } from "../sys/address.ts";
import type { RecoveryContext, World } from "./supervisor-state.ts";

/** The sockets of an operation in progress: none is closed before `release`, even when its last worker leaves meanwhile. */
export class Sockets {
  private readonly world: World;
  private readonly found = new Map<string, Listener>();

  private constructor(world: World) {
    this.world = world;
  }

  /** For every pool the socket there is, or a new one. Throws when one cannot be opened; then none is left open. */
  static acquire(world: World, pools: readonly PoolConfig[]): Sockets {
    const sockets = new Sockets(world);
    try {
      for (const pool of pools) sockets.add(pool);
      // Before the first worker starts on them: if the supervisor dies, these are found again, too.
      world.remember();
      return sockets;
    } catch (error) {
      sockets.release();
      throw error;
    }
  }

  of({ name }: PoolConfig): Listener {
    return this.found.get(name)!;
  }

  /** To be called when the pools have them, or will not: closes those that nobody uses then. */
  release(): void {
    for (const listener of this.found.values()) this.world.claimed.delete(listener);
    closeUnused(this.world, this.found.values());
  }

  private add(pool: PoolConfig): void {
    const existing = allListeners(this.world).find(({ address }) =>
      sameAddress(address, pool.listen.address),
    );
    const listener = existing ?? handedOver(this.world, pool) ?? Listener.open(pool);
    if (existing === undefined) {
      this.world.emit({ type: "listening", pools: [pool.name], address: listener.name });
    }
    this.found.set(pool.name, listener);
    this.world.claimed.set(listener, pool);
  }
}

/** The pool's socket as systemd handed it over; null when it did not. */
export function handedOver(world: RecoveryContext, pool: PoolConfig): Listener | null {
  const address = boundAddress(pool.listen.address);
  const fd = world.inherited.take(address);
  if (fd === null) return null;
  const maker = world.inherited.makerOf(address);
  world.emit({ type: "handed-over", pool: pool.name, address: addressText(address), maker });
  return Listener.adopt(pool, fd, maker);
}

/** Every socket that a pool has, leaving generations included. */
export function allListeners(world: World): Listener[] {
  const pools = [...world.pools.values()];
  return [
    ...new Set(
      pools.flatMap((pool) => [
        pool.listener,
        ...pool.leaving.map(({ context }) => context.listener),
      ]),
    ),
  ];
}

/** Applies backlog, owner, mode and allowed clients to a socket that lives on; returns the way back. */
export function changeInPlace(world: World, listener: Listener, next: PoolConfig): () => void {
  const before = listener.spec;
  const changes = listener.change(next);
  if (changes.length > 0) {
    world.emit({ type: "listener-changed", address: listener.name, what: changes.join(", ") });
  }
  return () => void listener.change(before);
}

/** Closes those sockets that no pool has and no operation in progress needs; returns them. */
export function closeUnused(world: World, listeners: Iterable<Listener>): Listener[] {
  const used = new Set([...allListeners(world), ...world.claimed.keys()]);
  const unused = [...new Set(listeners)].filter(
    (listener) => listener.isOpen && !used.has(listener),
  );
  for (const listener of unused) closeListener(world, listener);
  return unused;
}

function closeListener(world: World, listener: Listener): void {
  // systemd's stays open in systemd anyway; kept here, a later config can have it again.
  if (listener.maker === "systemd") {
    world.inherited.giveBack(listener);
    listener.passOn();
  } else listener.end();
  world.emit({ type: "listener-closed", address: listener.name });
}

/** Closes a socket when the service ends; a copy that a service manager has stored goes on listening. */
export function leaveListener(world: World, listener: Listener): void {
  if (world.socketsAreStored) listener.close();
  else listener.end();
  world.emit({ type: "listener-closed", address: listener.name });
}
