// What the watcher has chosen to see, and what a key makes of it. Pure.

import type { PoolStatus } from "../../../admin/contract.ts";

export type Order = "config" | "busy" | "queue" | "cpu" | "memory" | "name";
export const ORDERS: readonly Order[] = ["config", "busy", "queue", "cpu", "memory", "name"];

export interface View {
  /** The pool that the cursor is on; null = all of them. */
  readonly pool: string | null;
  readonly order: Order;
  /** What is asked before it is done. */
  readonly asks: "reload" | null;
  /** What came of the last thing that was done. */
  readonly told: string | null;
}

export type Next =
  | { readonly view: View; readonly act?: "reload" }
  /** The watcher has seen enough. */
  | "quit";

export function afterKey(view: View, key: string, pools: readonly string[]): Next {
  if (key === "\x03") return "quit";
  if (view.asks !== null) {
    const isYes = key === "y" || key === "Y";
    return {
      view: { ...view, asks: null, told: isYes ? null : "nothing was done" },
      ...act(isYes),
    };
  }
  const calm = { ...view, told: null };
  switch (key) {
    case "q":
      return "quit";
    case "s":
      return { view: { ...calm, order: following(ORDERS, view.order, 1) } };
    case "r":
      return { view: { ...calm, asks: "reload" } };
    case "\x1b[A":
    case "k":
      return { view: { ...calm, pool: following([null, ...pools], view.pool, -1) } };
    case "\x1b[B":
    case "j":
    case "\t":
      return { view: { ...calm, pool: following([null, ...pools], view.pool, 1) } };
    case "a":
      return { view: { ...calm, pool: null } };
    default:
      return { view };
  }
}

function act(isYes: boolean): { act?: "reload" } {
  return isYes ? { act: "reload" } : {};
}

/** The one that comes after, round and round; from one that is gone the first. */
function following<T>(all: readonly T[], from: T, step: 1 | -1): T {
  const at = all.indexOf(from);
  return at < 0 ? all[0]! : all[(at + step + all.length) % all.length]!;
}

/** The pools in that order, the most loaded first. */
export function inOrder(pools: readonly PoolStatus[], order: Order): readonly PoolStatus[] {
  const by = (value: (pool: PoolStatus) => number) =>
    pools.toSorted((one, other) => value(other) - value(one));
  switch (order) {
    case "config":
      return pools;
    case "name":
      return pools.toSorted((one, other) => (one.name < other.name ? -1 : 1));
    case "busy":
      return by(({ workers }) => workers.busy / Math.max(1, workers.wanted));
    case "queue":
      return by(({ queue }) => queue?.length ?? 0);
    case "cpu":
      return by(({ load }) => load.cpu_percent);
    case "memory":
      return by(({ memory }) => memory.pss_bytes ?? 0);
  }
}
