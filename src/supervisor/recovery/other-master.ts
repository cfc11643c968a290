// A pool's socket that another program's master serves on (php-fpm run by the system, a php-cgi of
// spawn-fcgi): what --takeover takes it over from. It is known by its socket and its program, and nothing is
// touched here.

import type { PoolConfig } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import { RUNTIMES } from "../../runtime/registry.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { unitOf } from "../../sys/control-group.ts";
import { takeDescriptor } from "../../sys/pidfd.ts";
import { ANYBODY, SocketHolders, socketsOf } from "../../sys/proc/proc-sockets.ts";
import { type ProcessStat, processStat } from "../../sys/proc/procfs.ts";
import { type Address, addressText } from "../../sys/socket/address.ts";
import { closeSocket, listeningAddress } from "../../sys/socket/socket.ts";
import type { PoolRecord } from "./state-file.ts";
import { recordOfConfig } from "./state-records.ts";

/** A process that forks the workers on a pool's socket. */
export interface OtherMaster {
  readonly process: ProcessStat;
  readonly runtime: Runtime;
  /** The systemd unit that it is of; null = none. */
  readonly unit: string | null;
}

/** The socket as it is left, with its masters as the groups that serve on it. */
export function takeoverRecord(
  pool: PoolConfig,
  address: Address,
  inode: string,
  look: SocketHolders,
): { readonly record: PoolRecord; readonly masters: readonly OtherMaster[] } {
  const record = recordOfConfig(pool, address, inode);
  const masters = mastersOn(inode, look);
  const [first] = masters;
  if (first === undefined) return { record, masters };
  const groups = masters.map(({ process: { group, startTime } }) => ({
    pid: group,
    start_time: startTime,
  }));
  return { record: { ...record, runtime: first.runtime.name, groups }, masters };
}

function mastersOn(inode: string, look: SocketHolders): OtherMaster[] {
  return look.of(inode, ANYBODY).flatMap((process) => {
    const runtime = forkingRuntimeOf(process);
    const parent = processStat(process.parent);
    const isChild = parent !== null && forkingRuntimeOf(parent) === runtime;
    if (runtime === undefined || isChild) return [];
    return [{ process, runtime, unit: unitOf(process.pid) }];
  });
}

function forkingRuntimeOf({ command }: ProcessStat): Runtime | undefined {
  return RUNTIMES.find(({ forks, matches }) => forks !== "never" && matches(command));
}

/** Throws a Fault when a master serves on a socket that no pool is for: with it that service would go. */
export function checkNothingElse(
  masters: readonly OtherMaster[],
  records: readonly PoolRecord[],
): void {
  const wanted = new Set(records.map(({ inode }) => inode));
  for (const { process, runtime } of masters) {
    const others = listeningSockets(process.pid, wanted);
    if (others.length === 0) continue;
    throw new Fault(
      `process ${process.pid} (${runtime.name}) also serves on ${others.join(", ")}, which no pool of this config is for`,
      {
        hint: "add a pool for it, or let that program no longer serve on it first; nothing was touched",
      },
    );
  }
}

function listeningSockets(pid: number, wanted: ReadonlySet<string>): string[] {
  return [...(socketsOf(pid) ?? [])].flatMap(([fd, inode]) => {
    const copy = wanted.has(inode) ? null : takeDescriptor(pid, fd);
    if (copy === null) return [];
    const address = listeningAddress(copy);
    closeSocket(copy);
    return address === null ? [] : [addressText(address)];
  });
}
