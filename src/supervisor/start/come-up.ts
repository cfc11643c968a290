// The story of coming up: look for what an earlier supervisor left, start the pools (on its sockets,
// where there are any), and then let its workers leave.

import type { Fault } from "../../fault.ts";
import type { InheritedSockets } from "../../socket/inherited.ts";
import type { Handover } from "../../sys/exec/handover.ts";
import { endLeftOverCanaries } from "./canary.ts";
import { missingLimits } from "./control-limits.ts";
import { preflight } from "./preflight.ts";
import { leftOverRecords } from "../recovery/left-over-records.ts";
import { type OpenSocket, Recovery } from "../recovery/recovery.ts";
import { startEachPool, startPools } from "./start.ts";
import { removeLeftSettings } from "../../worker/settings-file.ts";
import type { SupervisorState } from "../supervisor-state.ts";

export interface ComeUpOptions {
  readonly inherited: InheritedSockets;
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
  state: SupervisorState,
  options: ComeUpOptions,
  endsBy: () => "stop" | "quit" | null,
  signal: AbortSignal,
): Promise<Up> {
  const trouble = (fault: Fault) => state.emit({ type: "trouble", fault: fault.toJSON() });
  const warn = (fault: Fault) => state.emit({ type: "config-warning", fault: fault.toJSON() });
  endLeftOverCanaries(state.config.supervisor.stateDir);
  removeLeftSettings(state.config.supervisor.stateDir);
  const found = leftOverRecords(state, options, trouble);
  const recovery = new Recovery(state, found, options.handover?.sockets ?? {});
  // Until they have left, a supervisor after this one must know of them, too.
  state.leftOver = recovery.records;
  const failedPools = await recovery.takeOver(
    (open) => startAll(state, options.keepGoing, open, signal, warn),
    endsBy,
  );
  failedPools.forEach(trouble);
  options.inherited.closeRest().forEach(warn);
  void recovery.retired.then(() => (state.leftOver = []));
  return { recovery, failedPools };
}

async function startAll(
  state: SupervisorState,
  keepGoing: boolean,
  open: OpenSocket,
  signal: AbortSignal,
  warn: (fault: Fault) => void,
): Promise<readonly Fault[]> {
  if (keepGoing) return startEachPool(state, open, signal);
  [...(await preflight(state.config)), ...missingLimits(state.config)].forEach(warn);
  await startPools(state, open, signal);
  return [];
}
