// The story of coming up: look for what an earlier supervisor left, start the pools (on its sockets,
// where there are any), and then let its workers leave.

import type { Fault } from "../fault.ts";
import type { Inherited } from "../socket/inherited.ts";
import type { Handover } from "../sys/exec/handover.ts";
import { endLeftOverCanaries } from "./canary.ts";
import { preflight } from "./preflight.ts";
import { leftOverRecords } from "./recovery/left-over-records.ts";
import { type OpenSocket, Recovery } from "./recovery/recovery.ts";
import { startEachPool, startPools } from "./start.ts";
import type { World } from "./supervisor-state.ts";

export interface ComeUpOptions {
  readonly inherited: Inherited;
  readonly takeover: boolean;
  readonly keepGoing: boolean;
  readonly handover: Handover | null;
}

export interface Up {
  /** What was there of an earlier supervisor, whose workers leave now. */
  readonly recovery: Recovery;
  /** With `keepGoing`: why some pools do not serve yet. */
  readonly failedPools: readonly Fault[];
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
  endLeftOverCanaries(world.config.supervisor.stateDir);
  const records = leftOverRecords(world, options, trouble);
  const recovery = new Recovery(world, records, options.handover?.sockets ?? {});
  // Until they have left, a supervisor after this one must know of them, too.
  world.earlier = recovery.records;
  const failedPools = await recovery.takeOver(
    (open) => startAll(world, options.keepGoing, open, signal, warn),
    endsBy,
  );
  failedPools.forEach(trouble);
  options.inherited.closeRest().forEach(warn);
  void recovery.retired.then(() => (world.earlier = []));
  return { recovery, failedPools };
}

async function startAll(
  world: World,
  keepGoing: boolean,
  open: OpenSocket,
  signal: AbortSignal,
  warn: (fault: Fault) => void,
): Promise<readonly Fault[]> {
  if (keepGoing) return startEachPool(world, open, signal);
  (await preflight(world.config)).forEach(warn);
  await startPools(world, open, signal);
  return [];
}
