// The pools that run, with the config they run with and where they are asked.

import { AdminClient } from "../../admin/client.ts";
import { MASK } from "../../admin/masked.ts";
import { configFromJson } from "../../config/derived/wire.ts";
import type { PoolConfig } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import { parseAddress } from "../../sys/socket/address.ts";
import { controlSocket, type SocketArgs } from "../control/control-socket.ts";
import { refuseOtherConfig } from "../control/same-config.ts";
import { reachable } from "../request/target.ts";
import type { AskedPool } from "./smoked.ts";

/** Throws a Fault (exit code 3) when no supervisor runs. */
export async function runningPools(args: SocketArgs): Promise<AskedPool[]> {
  const socket = await controlSocket(args);
  const client = new AdminClient(socket);
  const status = await client.status();
  refuseOtherConfig(args, status);
  const config = configFromJson(await client.config());
  if (config.pools.some(isMasked)) throw masked(socket);
  return config.pools.flatMap((pool) => {
    const listen = status.pools.find(({ name }) => name === pool.name)?.listen ?? "";
    const parsed = parseAddress(listen, (path) => path);
    return "problem" in parsed ? [] : [{ config: pool, address: reachable(parsed.ok) }];
  });
}

function isMasked({ smoke }: PoolConfig): boolean {
  return smoke.some(({ headers, body }) => [...headers.values(), body].includes(MASK));
}

function masked(socket: string): Fault {
  return new Fault("this user is not told what headers and bodies the smoke requests have", {
    where: socket,
    hint: "run this as root, or as the user that the supervisor runs as",
  });
}
