// `check --against`: the plan that a reload with this config would follow, made here from the
// config that the running supervisor tells. Nothing is touched.

import { AdminClient } from "../../admin/client.ts";
import { isMasked, masked } from "../../admin/masked.ts";
import type { Report } from "../../admin/contract.ts";
import type { Config } from "../../config/model.ts";
import { configFromJson } from "../../config/derived/wire.ts";
import { withAddressesHere } from "../../socket/bound.ts";
import { planned } from "../../supervisor/operations/plan.ts";
import { controlSocket, type SocketArgs } from "../control/control-socket.ts";

/** What a reload would do, as its report. Throws a Fault with exit code 3 when nothing runs. */
export async function planAgainstRunning(config: Config, args: SocketArgs): Promise<Report> {
  const next = withAddressesHere(config);
  const client = new AdminClient(await controlSocket(args));
  const status = await client.status();
  const running = configFromJson(await client.config());
  // Without a right to the values, they cannot be compared.
  const plan = planned(running, isMasked(running) ? masked(next) : next, () => true);
  return {
    operation: "reload",
    pid: status.pid,
    generation: status.generation,
    duration_ms: 0,
    dry_run: true,
    pools: plan.pools,
    settings: plan.settings,
    needs_restart: plan.needsRestart,
  };
}
