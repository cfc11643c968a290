// What the watcher has chosen to see, and what a key makes of it. Pure.

import type { PoolStatus } from "../../../admin/contract.ts";

export type Order = "config" | "busy" | "queue" | "cpu" | "memory" | "name";
export const ORDERS: readonly Order[] = ["config", "busy", "queue", "cpu", "memory", "name"];

/** What can be done from here; each is asked about first. */
export type Action =
  | { readonly do: "reload" | "pause" | "resume" }
  /** `by`: how many workers more, or fewer. */
  | { readonly do: "scale"; readonly by: number };

export interface View {
  /** The pool that the cursor is on; null = all of them. */
  readonly pool: string | null;
  readonly order: Order;
  /** What is asked before it is done. */
  readonly asks: Action | null;
  /** What came of the last thing that was done. */
  readonly told: string | null;
}

export type Next =
  | { readonly view: View; readonly act?: Action }
  /** The watcher has seen enough. */
  | "quit";

type Named = Pick<PoolStatus, "name" | "state">;

export function afterKey(view: View, key: string, pools: readonly Named[]): Next {
  if (key === "\x03") return "quit";
  if (view.asks !== null) return afterAnswer(view, view.asks, key);
  const calm = { ...view, told: null };
  const names = [null, ...pools.map(({ name }) => name)];
  switch (key) {
    case "q":
      return "quit";
    case "s":
      return { view: { ...calm, order: following(ORDERS, view.order, 1) } };
    case "r":
      return { view: { ...calm, asks: { do: "reload" } } };
    case "+":
      return { view: ofPool(calm, { do: "scale", by: 1 }) };
    case "-":
      return { view: ofPool(calm, { do: "scale", by: -1 }) };
    case "p": {
      const isPaused = pools.some(({ name, state }) => name === view.pool && state === "paused");
      return { view: ofPool(calm, { do: isPaused ? "resume" : "pause" }) };
    }
    case "\x1b[A":
    case "k":
      return { view: { ...calm, pool: following(names, view.pool, -1) } };
    case "\x1b[B":
    case "j":
    case "\t":
      return { view: { ...calm, pool: following(names, view.pool, 1) } };
    case "a":
      return { view: { ...calm, pool: null } };
    default:
      return { view };
  }
}

/** To yes, to no, and to + and - while it asks for how many. */
function afterAnswer(view: View, asks: Action, key: string): Next {
  if (key === "y" || key === "Y") return { view: { ...view, asks: null }, act: asks };
  if (asks.do === "scale" && (key === "+" || key === "-")) {
    const by = asks.by + (key === "+" ? 1 : -1);
    if (by !== 0) return { view: { ...view, asks: { do: "scale", by } } };
  }
  return { view: { ...view, asks: null, told: "nothing was done" } };
}

/** `+2`, `-2`. */
export function signed(number: number): string {
  return number > 0 ? `+${number}` : String(number);
}

/** What is done to one pool only. */
function ofPool(view: View, asks: Action): View {
  return view.pool === null
    ? { ...view, told: "choose a pool first, with up and down" }
    : { ...view, asks };
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
