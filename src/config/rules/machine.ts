// The rules that ask this machine: whether it has what a pool names, and whether two pools name one
// socket. Only for a config that is going to run here; a conversion may be for another machine.

import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { poolLacks } from "./pool-lacks.ts";
import { originText, type Problems } from "../problems.ts";
import type { ReadPool } from "./read-pool.ts";

/** `uid`: of whoever is going to run it. */
export function checkMachine(pools: readonly ReadPool[], uid: number, problems: Problems): void {
  for (const pool of pools) {
    for (const { setting, message, hint } of poolLacks(pool.config, uid)) {
      if (pool.failed.has(setting)) continue;
      problems.error(`pool ${pool.config.name}: ${message}`, pool.place(setting), hint);
    }
  }
  checkSockets(pools, problems);
}

/** One socket under two paths, because a folder in one of them is a link; equal paths are told without the machine. */
function checkSockets(pools: readonly ReadPool[], problems: Problems): void {
  const known = new Map<string, { readonly pool: ReadPool; readonly path: string }>();
  for (const pool of pools) {
    const { address } = pool.config.listen;
    if (address.kind !== "unix" || pool.failed.has("listen.address")) continue;
    const real = realSocket(address.path);
    const first = known.get(real);
    if (first === undefined) known.set(real, { pool, path: address.path });
    else if (first.path !== address.path) {
      const other = `${first.path} (${originText(first.pool.place("listen.address"))})`;
      problems.error(
        `pool ${pool.config.name}: ${address.path} is the same socket as pool ${first.pool.config.name}'s ${other}`,
        pool.place("listen.address"),
        "give each pool an address of its own",
      );
    }
  }
}

function realSocket(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path; // the folder is missing, or not ours to look at: said when the socket is opened
  }
}
