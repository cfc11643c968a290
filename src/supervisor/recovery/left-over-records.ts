// Where a start learns what an earlier supervisor left: from the program that became this one, from the
// state file, or, without either, from who listens on the pools' addresses.

import type { PoolConfig } from "../../config/model.ts";
import { asFault, type Fault } from "../../fault.ts";
import { boundAddress } from "../../socket/bound.ts";
import type { InheritedSockets } from "../../socket/inherited.ts";
import { inodesOn } from "../../socket/open.ts";
import type { Handover } from "../../sys/exec/handover.ts";
import type { SupervisorState } from "../supervisor-state.ts";
import { checkNothingElse, type OtherMaster, takeoverRecord } from "./other-master.ts";
import { SocketHolders } from "../../sys/proc/proc-sockets.ts";
import { checkState, type PoolRecord, readState } from "./state-file.ts";
import { recordOfConfig } from "./state-records.ts";

export interface Sources {
  readonly inherited: InheritedSockets;
  /** Whoever listens on the pools' addresses counts, when no state file tells who that is. */
  readonly takeover: boolean;
  readonly handover: Handover | null;
}

/** What a start finds of whoever served before it. */
export interface Found {
  /** One a socket. */
  readonly records: readonly PoolRecord[];
  /** By inode, the master of another program that serves on it. */
  readonly masters: ReadonlyMap<string, OtherMaster>;
}

/**
 * Numbers generations on from where the earlier supervisor was. Throws a Fault when a takeover would end
 * what no pool is for.
 */
export function leftOverRecords(
  state: SupervisorState,
  { handover, takeover, inherited }: Sources,
  trouble: (fault: Fault) => void,
): Found {
  const { supervisor, pools } = state.config;
  try {
    const left = handover === null ? readState(supervisor.stateDir) : checkState(handover.state);
    if (left !== null) {
      state.generation = left.generation;
      return { records: left.pools, masters: new Map() };
    }
  } catch (error) {
    if (!takeover) trouble(asFault(error));
  }
  // Who serves on a socket that systemd hands to us was started for it: by an earlier supervisor.
  const ours = ({ listen }: PoolConfig) => inherited.has(boundAddress(listen.address));
  if (takeover) return whoeverServes(pools);
  return { records: recordsByAddress(pools.filter(ours)), masters: new Map() };
}

function recordsByAddress(pools: readonly PoolConfig[]): PoolRecord[] {
  return socketsOn(pools).map(({ pool, address, inode }) => recordOfConfig(pool, address, inode));
}

function whoeverServes(pools: readonly PoolConfig[]): Found {
  const look = new SocketHolders();
  const found = socketsOn(pools).map(({ pool, address, inode }) =>
    takeoverRecord(pool, address, inode, look),
  );
  const records = found.map(({ record }) => record);
  checkNothingElse(
    found.flatMap(({ masters }) => masters),
    records,
  );
  const masters = found.flatMap(({ record, masters: [first] }) =>
    first === undefined ? [] : [[record.inode, first] as const],
  );
  return { records, masters: new Map(masters) };
}

function socketsOn(pools: readonly PoolConfig[]) {
  return pools.flatMap((pool) => {
    const address = boundAddress(pool.listen.address);
    return inodesOn(address).map((inode) => ({ pool, address, inode }));
  });
}
