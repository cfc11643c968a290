// The story of the end: workers first (at once, or each after its request), then what their scripts
// left in the background, then the sockets.

import { Life } from "../worker/life.ts";
import { type Losses, sumOf } from "../worker/losses.ts";
import { orphans, reapOrphans, sendSignal } from "../sys/process.ts";
import { allListeners, leaveListener } from "./sockets.ts";
import { poolsInOrder, type SupervisorState } from "./supervisor-state.ts";

/** `others`: resolves when workers of an earlier supervisor have left, too. */
export async function shutDown(
  state: SupervisorState,
  word: "stop" | "quit",
  others: Promise<void>,
): Promise<Losses> {
  const pools = poolsInOrder(state);
  const losses = await Promise.all(
    pools.map((pool) => (word === "stop" ? pool.stop() : pool.drain())),
  );
  await others;
  await endBackground();
  for (const listener of allListeners(state)) leaveListener(state, listener);
  state.pools.clear();
  return sumOf(losses);
}

/** They inherited the listening socket: while one lives, the address stays taken. */
async function endBackground(): Promise<void> {
  const life = new Life("serving", {
    living: () => orphans().map(({ pid }) => pid),
    signal: (name) => orphans().forEach(({ pid }) => sendSignal(pid, name)),
    ask: () => {},
    drainTimeoutMs: 0,
    tell: null,
  });
  life.dispatch("stop");
  await life.gone;
  reapOrphans();
}
