// Whether the supervisor that answers is that of the config which was named: two configs can lead to one
// control socket (a php-fpm.conf and what was converted from it do), and a command must not act on the other.

import { resolve } from "node:path";
import type { AdminClient } from "../../admin/client.ts";
import type { SupervisorStatus } from "../../admin/contract.ts";
import { Fault } from "../../fault.ts";
import { shellWord } from "../../log/words.ts";
import { realPath } from "../../sys/file.ts";
import type { SocketArgs } from "./control-socket.ts";

/** Asks, if there is anything to compare. Throws the Fault that another config runs there. */
export async function checkSameConfig(client: AdminClient, args: SocketArgs): Promise<void> {
  if (namedConfig(args) !== null) refuseOtherConfig(args, await client.supervisor());
}

/** Throws the Fault that this status is of a supervisor with another config than was named. */
export function refuseOtherConfig(
  args: SocketArgs,
  { config, pid, socket }: Pick<SupervisorStatus, "config" | "pid" | "socket">,
): void {
  const named = namedConfig(args);
  if (named === null) return;
  if (samePath(named, config)) return;
  const file = shellWord(resolve(named));
  throw new Fault(
    `the supervisor of this config's control socket (process ${pid}) runs with another config: ${config ?? "a command line without a file"}`,
    {
      where: resolve(named),
      hint:
        config === null
          ? `to act on it all the same: --socket ${shellWord(socket)}`
          : `name that one: -c ${shellWord(config)}; to have it run with this one from now on: fcgivisor reload --switch-config ${file}`,
    },
  );
}

/** A default place or a socket names no config: null. */
function namedConfig(args: SocketArgs): string | null {
  if (args.socket !== undefined) return null;
  return args.config ?? (process.env["FCGIVISOR_CONFIG"] || null);
}

/** Whether both lead to one file; null = none. */
export function samePath(one: string | null, other: string | null): boolean {
  if (one === null || other === null) return one === other;
  return followed(one) === followed(other);
}

/** When it is gone, its name is the same still. */
function followed(path: string): string {
  return realPath(path) ?? resolve(path);
}
