// The story of the end: workers first (at once, or each after its request), then what their scripts
// left in the background, then the sockets.

import { sumOf, type Toll } from "../worker/toll.ts";
import { sleep } from "../sys/clock.ts";
import { adopted, reapStrangers, signal } from "../sys/process.ts";
import { allListeners, leaveListener } from "./sockets.ts";
import { poolsInOrder, type World } from "./supervisor-state.ts";

/** What scripts left running gets TERM, and KILL so much later. */
const STRAY_GRACE_MS = 1000;
const POLL_MS = 10;

/** `others`: resolves when workers of an earlier supervisor have left, too. */
export async function shutDown(
  world: World,
  word: "stop" | "quit",
  others: Promise<void>,
): Promise<Toll> {
  const pools = poolsInOrder(world);
  const tolls = await Promise.all(
    pools.map((pool) => (word === "stop" ? pool.stop() : pool.drain())),
  );
  await others;
  await endStrays();
  for (const listener of allListeners(world)) leaveListener(world, listener);
  world.pools.clear();
  return sumOf(tolls);
}

/** They inherited the listening socket: while one lives, the address stays taken. */
async function endStrays(): Promise<void> {
  for (const { pid } of adopted()) signal(pid, "SIGTERM");
  for (let waited = 0; adopted().length > 0; waited += POLL_MS) {
    if (waited >= STRAY_GRACE_MS) for (const { pid } of adopted()) signal(pid, "SIGKILL");
    if (waited >= 2 * STRAY_GRACE_MS) return;
    await sleep(POLL_MS);
  }
  reapStrangers();
}
