// The rules of [metrics]: who could look from where.

import { addressText, isLoopback, type ListenAddress } from "../../sys/socket/address.ts";
import type { Problems } from "../problems.ts";
import type { SectionOutput } from "../settings/section.ts";
import type { METRICS } from "../settings/settings.ts";
import type { ReadPool } from "./read-pool.ts";
import { TakenAddresses } from "./taken.ts";

export function checkMetrics(
  { values, failed, place }: SectionOutput<typeof METRICS>,
  socket: string,
  pools: readonly ReadPool[],
  problems: Problems,
): void {
  if (failed.has("listen")) return;
  const { listen, token_file: tokenFile } = values;
  const wrong = (what: string, hint: string) =>
    problems.error(`metrics.listen: ${what}`, place("listen"), hint);
  if (listen === null) {
    const useless = values.page ? "page" : tokenFile !== null ? "token_file" : undefined;
    if (useless === undefined) return;
    const hint = 'for example: listen = "127.0.0.1:9253"';
    problems.error(`metrics.${useless} without metrics.listen`, place(useless), hint);
    return;
  }
  const text = addressText(listen);
  if (listen.kind === "systemd") {
    wrong(`${text} is for pools`, 'write an address: listen = "127.0.0.1:9253"');
    return;
  }
  if (!isLoopback(listen) && tokenFile === null && !failed.has("token_file"))
    wrong(
      `others than this machine can connect to ${text}, and there is no token_file`,
      `listen on "127.0.0.1:${"port" in listen ? listen.port : ""}", or set token_file to a file with a secret that requests must bring`,
    );
  const other = sharing(listen, socket, pools);
  if (other !== null) wrong(`${other} listens on ${text} already`, "give it an address of its own");
}

function sharing(listen: ListenAddress, socket: string, pools: readonly ReadPool[]): string | null {
  if (listen.kind === "unix" && listen.path === socket) return "the control socket";
  const taken = new TakenAddresses<string>();
  for (const { config, failed } of pools)
    if (!failed.has("listen.address")) taken.take(config.listen.address, `pool ${config.name}`);
  return taken.take(listen, "metrics") ?? null;
}
