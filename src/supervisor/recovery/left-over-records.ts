// Where a start learns what an earlier supervisor left: from the program that became this one, from the
// state file, or, without either, from who listens on the pools' addresses.

import type { PoolConfig } from "../../config/model.ts";
import { asFault, type Fault } from "../../fault.ts";
import { boundAddress } from "../../socket/bound.ts";
import type { InheritedSockets } from "../../socket/inherited.ts";
import { inodesOn } from "../../socket/open.ts";
import type { Handover } from "../../sys/exec/handover.ts";
import type { SupervisorState } from "../supervisor-state.ts";
import { checkState, type PoolRecord, readState } from "./state-file.ts";
import { recordOfConfig } from "./state-records.ts";

export interface Sources {
  readonly inherited: InheritedSockets;
  /** Whoever listens on the pools' addresses counts, when no state file tells who that is. */
  readonly takeover: boolean;
  readonly handover: Handover | null;
}

/** One record a socket; numbers generations on from where the earlier supervisor was. */
export function leftOverRecords(
  state: SupervisorState,
  { handover, takeover, inherited }: Sources,
  trouble: (fault: Fault) => void,
): readonly PoolRecord[] {
  const { supervisor, pools } = state.config;
  try {
    const left = handover === null ? readState(supervisor.stateDir) : checkState(handover.state);
    if (left !== null) {
      state.generation = left.generation;
      return left.pools;
    }
  } catch (error) {
    if (!takeover) trouble(asFault(error));
  }
  // Who serves on a socket that systemd hands to us was started for it: by an earlier supervisor.
  const ours = ({ listen }: PoolConfig) => inherited.has(boundAddress(listen.address));
  return recordsByAddress(takeover ? pools : pools.filter(ours));
}

function recordsByAddress(pools: readonly PoolConfig[]): PoolRecord[] {
  return pools.flatMap((pool) => {
    const address = boundAddress(pool.listen.address);
    return inodesOn(address).map((inode) => recordOfConfig(pool, address, inode));
  });
}
