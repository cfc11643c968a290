// The sockets a config needs: those there are, those that must be opened, and those nobody uses any
// more. One address is one Listener, whichever pool it belongs to.

import type { PoolConfig } from "../config/model.ts";
import { asFault } from "../fault.ts";
import { boundAddress } from "../socket/bound.ts";
import { Listener } from "../socket/listener.ts";
import { addressText, sameAddress } from "../sys/socket/address.ts";
import type { RecoveryContext, SupervisorState } from "./supervisor-state.ts";

/** The sockets of an operation in progress: none is closed before `release`, even when its last worker leaves meanwhile. */
export class Sockets {
  private readonly state: SupervisorState;
  private readonly found = new Map<string, Listener>();

  private constructor(state: SupervisorState) {
    this.state = state;
  }

  /** For every pool the socket there is, or a new one. Throws when one cannot be opened; then none is left open. */
  static acquire(state: SupervisorState, pools: readonly PoolConfig[]): Sockets {
    const sockets = new Sockets(state);
    try {
      for (const pool of pools) sockets.add(pool);
      // Before the first worker starts on them: if the supervisor dies, these are found again, too.
      state.save();
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
    for (const listener of this.found.values()) this.state.claimed.delete(listener);
    closeUnused(this.state, this.found.values());
  }

  private add(pool: PoolConfig): void {
    const existing = allListeners(this.state).find(({ address }) =>
      sameAddress(address, pool.listen.address),
    );
    const listener = existing ?? handedOver(this.state, pool) ?? Listener.open(pool);
    if (existing === undefined) {
      this.state.emit({ type: "listening", pools: [pool.name], address: listener.name });
    }
    this.found.set(pool.name, listener);
    this.state.claimed.set(listener, pool);
  }
}

/** The pool's socket as systemd handed it over; null when it did not. */
export function handedOver(state: RecoveryContext, pool: PoolConfig): Listener | null {
  const address = boundAddress(pool.listen.address);
  const fd = state.inherited.take(address);
  if (fd === null) return null;
  const maker = state.inherited.makerOf(address);
  state.emit({ type: "handed-over", pool: pool.name, address: addressText(address), maker });
  return Listener.adopt(pool, fd, maker, (fault) =>
    state.emit({ type: "trouble", fault: fault.toJSON() }),
  );
}

/** Every socket that a pool has, leaving generations included. */
export function allListeners(state: SupervisorState): Listener[] {
  const pools = [...state.pools.values()];
  return [
    ...new Set(
      pools.flatMap((pool) => [
        pool.listener,
        ...pool.leaving.map(({ context }) => context.listener),
      ]),
    ),
  ];
}

/**
 * Applies backlog, owner, mode and allowed clients to a socket that lives on; returns the way back, which tells
 * of what goes wrong instead of throwing it.
 */
export function changeInPlace(
  state: SupervisorState,
  listener: Listener,
  next: PoolConfig,
): () => void {
  const before = listener.spec;
  const changes = listener.change(next);
  if (changes.length > 0) {
    state.emit({ type: "listener-changed", address: listener.name, what: changes.join(", ") });
  }
  return () => orTell(state, () => void listener.change(before));
}

/** The same where there is no way back: what goes wrong is told, and the rest goes on. */
export function changeForGood(state: SupervisorState, listener: Listener, next: PoolConfig): void {
  orTell(state, () => void changeInPlace(state, listener, next));
}

function orTell(state: SupervisorState, step: () => void): void {
  try {
    step();
  } catch (error) {
    state.emit({ type: "trouble", fault: asFault(error).toJSON() });
  }
}

/** Closes those sockets that no pool has and no operation in progress needs; returns them. */
export function closeUnused(state: SupervisorState, listeners: Iterable<Listener>): Listener[] {
  const used = new Set([...allListeners(state), ...state.claimed.keys()]);
  const unused = [...new Set(listeners)].filter(
    (listener) => listener.isOpen && !used.has(listener),
  );
  for (const listener of unused) closeListener(state, listener);
  return unused;
}

function closeListener(state: SupervisorState, listener: Listener): void {
  // systemd's stays open in systemd anyway; kept here, a later config can have it again.
  if (listener.maker === "systemd") {
    state.inherited.giveBack(listener);
    listener.passOn();
  } else listener.end();
  state.emit({ type: "listener-closed", address: listener.name });
}

/** Closes a socket when the service ends; a copy that a service manager has stored goes on listening. */
export function leaveListener(state: SupervisorState, listener: Listener): void {
  if (state.socketsAreStored) listener.close();
  else listener.end();
  state.emit({ type: "listener-closed", address: listener.name });
}
