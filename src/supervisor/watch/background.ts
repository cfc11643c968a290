// What scripts have left in the background: it has become a child of the supervisor, is no worker, and
// holds the socket that it inherited. A reload does not end it, but says that it is there.

import { socketsOf } from "../../sys/proc/proc-sockets.ts";
import { orphans } from "../../sys/process.ts";
import { poolsInOrder, type SupervisorState } from "../supervisor-state.ts";

/** The processes by the name of their pool; a pool without any has none here. */
export function backgroundOf(state: SupervisorState): ReadonlyMap<string, readonly number[]> {
  const pools = poolsInOrder(state);
  // While it starts: an upgrade has left as many workers as there are pools, and looks at this again and again.
  if (pools.length === 0) return new Map();
  const groups = pools
    .flatMap(({ current, leaving }) => [current, ...leaving])
    .flatMap(({ all }) => all);
  const workers = new Set(groups.flatMap(({ members }) => members.workers().map(({ pid }) => pid)));
  const leaving = new Set(state.leftOver.flatMap((record) => record.groups.map(({ pid }) => pid)));
  const found = new Map<string, number[]>();
  for (const { pid, group } of orphans()) {
    if (workers.has(pid) || leaving.has(group)) continue;
    const held = new Set(socketsOf(pid)?.values());
    const pool = pools.find(({ listener }) => held.has(String(listener.inode)));
    if (pool !== undefined) found.set(pool.name, [...(found.get(pool.name) ?? []), pid]);
  }
  return found;
}
