// The story of the end: workers first (at once, or each after its request), then what their scripts
// left in the background, then the sockets.

import { Life } from "../worker/life.ts";
import { type Losses, sumOf } from "../worker/losses.ts";
import { type ControlGroup, controlGroupOf, ownControlGroups } from "../sys/control-group.ts";
import { orphans, reapOrphans, sendSignal } from "../sys/process.ts";
import type { Pool } from "../pool/pool.ts";
import { allListeners, closeUnused, leaveListener } from "./sockets.ts";
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

/** One pool, and the others go on: its workers at once, then what its scripts left, then its socket. */
export async function stopPool(state: SupervisorState, pool: Pool): Promise<Losses> {
  const pools = state.config.pools.filter(({ name }) => name !== pool.name);
  state.config = { ...state.config, pools };
  const losses = await pool.stop();
  state.pools.delete(pool.name);
  state.stopped.add(pool.name);
  await endControlGroup(state, pool.name);
  closeUnused(state, [pool.listener]);
  return losses;
}

/**
 * They inherited the listening socket: while one lives, the address stays taken. Where pools have control
 * groups, none escapes; else those that have come to us are ended, one that forks fast may not be.
 */
async function endBackground(): Promise<void> {
  const groups = ownControlGroups();
  await endAll(groups, () => orphans().map(({ pid }) => pid));
  reapOrphans();
  for (const group of groups) group.remove();
}

/** What a pool that is no longer there has left behind, unless it is back meanwhile. */
export async function endControlGroup(state: SupervisorState, pool: string): Promise<void> {
  const group = controlGroupOf(pool);
  if (group === null) return;
  const isBack = () =>
    state.pools.has(pool) || [...state.claimed.values()].some(({ name }) => name === pool);
  await endAll([group], () => [], isBack);
  group.remove();
}

async function endAll(
  groups: readonly ControlGroup[],
  others: () => readonly number[],
  isOver: () => boolean = () => false,
): Promise<void> {
  const living = () =>
    isOver() ? [] : [...new Set([...groups.flatMap(({ members }) => members), ...others()])];
  const life = new Life("serving", {
    living,
    signal: (name) => {
      if (name === "SIGKILL" && !isOver()) for (const group of groups) group.kill();
      for (const pid of living()) sendSignal(pid, name);
    },
    ask: () => {},
    drainTimeoutMs: 0,
    tell: null,
  });
  life.dispatch("stop");
  await life.gone;
}
