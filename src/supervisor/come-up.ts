// The story of coming up: look for what an earlier supervisor left, start the pools (on its sockets,
// where there are any), and then let its workers leave.

import type { Config, PoolConfig } from "../config/model.ts";
import { asFault, type Fault } from "../fault.ts";
import { boundAddress } from "../socket/bound.ts";
import type { Inherited } from "../socket/inherited.ts";
import type { Handover } from "../sys/exec/handover.ts";
import { endStrayCanaries } from "./canary.ts";
import { preflight } from "./preflight.ts";
import { recordsByAddress, recover, type Recovery } from "./recovery/recovery.ts";
import { startEachPool, startPools } from "./start.ts";
import { checkState, type PoolRecord, readState } from "./recovery/state-file.ts";
import type { World } from "./supervisor-state.ts";

export interface ComeUpOptions {
  readonly inherited: Inherited;
  readonly takeover: boolean;
  readonly keepGoing: boolean;
  readonly handover: Handover | null;
}

/** What was there of an earlier supervisor. */
export interface Found {
  /** Processes that still served. */
  readonly processes: number;
  /** Addresses whose socket could not be taken back from them. */
  readonly reopened: readonly string[];
}

/** Its workers, while they leave. */
export interface Relieving {
  readonly done: Promise<void>;
  readonly hurry: () => void;
}

export interface Up {
  readonly found: Found;
  /** With `keepGoing`: why some pools do not serve yet. */
  readonly failedPools: readonly Fault[];
  readonly relieving: Relieving;
}

/** Rejects with the reason, and then nothing of ours is left. `endsBy`: whether stop or quit came meanwhile. */
export async function comeUp(
  world: World,
  options: ComeUpOptions,
  endsBy: () => "stop" | "quit" | null,
  signal: AbortSignal,
): Promise<Up> {
  const trouble = (fault: Fault) => world.emit({ type: "trouble", fault: fault.toJSON() });
  const warn = (fault: Fault) => world.emit({ type: "config-warning", fault: fault.toJSON() });
  endStrayCanaries(world.config.supervisor.stateDir);
  const left = leftBehind(world, options, trouble);
  const recovery = recover(world, left, options.handover?.sockets ?? {});
  // Until they have left, a supervisor after this one must know of them, too.
  world.earlier = recovery.records;
  const failedPools = await startAll(world, options.keepGoing, recovery, signal, warn).catch(
    async (error: unknown) => {
      // Told to end while it was starting: the workers that an earlier supervisor left are to go as well.
      if (endsBy() === "stop") recovery.hurry();
      if (endsBy() !== null) await recovery.dismiss();
      throw error;
    },
  );
  failedPools.forEach(trouble);
  options.inherited.closeRest().forEach(warn);
  const done = recovery
    .relieve()
    .catch((error: unknown) => trouble(asFault(error)))
    .finally(() => (world.earlier = []));
  return {
    found: { processes: recovery.workers, reopened: recovery.reopened },
    failedPools,
    relieving: { done, hurry: recovery.hurry },
  };
}

async function startAll(
  world: World,
  keepGoing: boolean,
  recovery: Recovery,
  signal: AbortSignal,
  warn: (fault: Fault) => void,
): Promise<readonly Fault[]> {
  if (keepGoing) return startEachPool(world, recovery, signal);
  (await preflight(world.config)).forEach(warn);
  await startPools(world, recovery, signal);
  return [];
}

/** What an earlier supervisor left, from its state file; with `takeover` also without one. */
function leftBehind(
  world: World,
  { handover, takeover, inherited }: ComeUpOptions,
  trouble: (fault: Fault) => void,
): readonly PoolRecord[] {
  const { config }: { readonly config: Config } = world;
  try {
    const state =
      handover === null ? readState(config.supervisor.stateDir) : checkState(handover.state);
    if (state !== null) {
      world.generation = state.generation;
      return state.pools;
    }
  } catch (error) {
    if (!takeover) trouble(asFault(error));
  }
  // Who serves on a socket that systemd hands to us was started for it: by an earlier supervisor.
  const ours = ({ listen }: PoolConfig) => inherited.has(boundAddress(listen.address));
  return recordsByAddress(takeover ? config.pools : config.pools.filter(ours));
}
