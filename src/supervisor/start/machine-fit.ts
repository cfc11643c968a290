// Whether this machine has room for a config: the folders of its sockets, memory for its workers, and
// addresses that nobody else has.

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Config, PoolConfig } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import { groupSizeOf, runtimeOf } from "../../runtime/registry.ts";
import { boundAddress } from "../../socket/bound.ts";
import { listenerInTheWay } from "../../socket/open.ts";
import { addressText } from "../../sys/socket/address.ts";
import { listeningPorts } from "../../sys/proc/proc-sockets.ts";
import { folderLack, lackFault } from "../../sys/machine/machine.ts";
import { machineMemory } from "../../sys/machine/machine-memory.ts";
import { readState } from "../recovery/state-file.ts";

/** Folders of Unix sockets that are missing; the state folder is made at the start. */
export function missingSocketFolders({ pools, supervisor }: Config): Fault[] {
  return pools.flatMap(({ name, listen: { address } }) => {
    if (address.kind !== "unix" || dirname(address.path) === supervisor.stateDir) return [];
    const lack = folderLack(dirname(address.path));
    return lack === null ? [] : [lackFault(lack, `pool ${name}, listen`)];
  });
}

const MB = 1024 * 1024;
/** What a worker takes at least, once it has served: forked by php-cgi, or a process of its own. */
const LEAST_BYTES = { forked: 1 * MB, alone: 4 * MB };

/** A warning where not even the least that the workers take fits. */
export function tooManyForMemory({ pools }: Config): Fault[] {
  const memory = machineMemory();
  const needed = pools.reduce((sum, pool) => sum + leastOf(pool), 0);
  if (memory === null || needed <= memory) return [];
  const workers = pools.reduce((sum, pool) => sum + pool.workers, 0);
  const [takes, has] = [needed, memory].map((bytes) => `${Math.round(bytes / MB)} MB`);
  return [
    new Fault(
      `${workers} workers take ${takes} at the very least, and there are ${has} of memory in all`,
      { where: "workers of all pools", hint: "lower `workers` where requests come seldom" },
    ),
  ];
}

function leastOf(pool: PoolConfig): number {
  const runtime = runtimeOf(pool);
  const forked = runtime !== undefined && groupSizeOf(pool, runtime) > 1;
  return pool.workers * LEAST_BYTES[forked ? "forked" : "alone"];
}

/** Addresses that another program has. What a supervisor with this state folder opened is its own. */
export function takenAddresses({ pools, supervisor }: Config): Fault[] {
  const own = ownAddresses(supervisor.stateDir);
  const ports = listeningPorts();
  return pools.flatMap(({ name, listen: { address } }) => {
    if (address.kind === "systemd" || own.has(addressText(address))) return [];
    // Most are free, which is quickly seen.
    const mayBeTaken = address.kind === "unix" ? existsSync(address.path) : ports.has(address.port);
    if (!mayBeTaken) return [];
    const fault = listenerInTheWay(boundAddress(address));
    if (fault === null) return [];
    const { message, hint } = fault;
    return [
      new Fault(`${addressText(address)}: ${message}`, {
        where: `pool ${name}, listen`,
        ...(hint === undefined ? {} : { hint }),
      }),
    ];
  });
}

function ownAddresses(stateDir: string): ReadonlySet<string> {
  try {
    return new Set(readState(stateDir)?.pools.map(({ address }) => addressText(address)));
  } catch {
    return new Set(); // Spoilt, or not ours to read: a start tells.
  }
}
