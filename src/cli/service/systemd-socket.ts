// Socket units: systemd opens a pool's socket before anything runs, and keeps it while nothing does.

import { type Address, addressText, isDualStack } from "../../sys/socket/address.ts";
import type { PoolFacts, ServiceFacts } from "./facts.ts";
import { socketUnit } from "./systemd.ts";

/** One unit a pool, each below a line with its place. */
export function socketUnits(facts: ServiceFacts): string {
  const many = facts.pools.length > 1;
  const head = many ? "# One file for each pool; `--pool NAME` prints one of them alone.\n\n" : "";
  return head + facts.pools.map((pool) => unit(facts, pool)).join("\n");
}

function unit({ config }: ServiceFacts, pool: PoolFacts): string {
  const name = pool.descriptor ?? pool.name;
  const { backlog } = pool.config.listen;
  return `# /etc/systemd/system/${socketUnit(name)}
# Made by \`fcgivisor service systemd-socket\` for pool ${pool.name} of ${config}
${pool.descriptor === null ? `# The pool takes it with: listen = "systemd:${name}"\n` : ""}
[Unit]
Description=Socket of the FastCGI pool ${pool.name}

[Socket]
ListenStream=${streamText(pool.address).replaceAll("%", "%%")}
FileDescriptorName=${name}
Service=fcgivisor.service
${backlog < 0 ? "" : `Backlog=${backlog}\n`}${ownership(pool)}
[Install]
WantedBy=sockets.target
`;
}

/** Which families it takes stands in a line of its own in a unit. */
function streamText(address: Address): string {
  return address.kind === "inet6" ? `[${address.host}]:${address.port}` : addressText(address);
}

function ownership({ address, config: { listen } }: PoolFacts): string {
  if (isDualStack(address)) return "BindIPv6Only=both\n";
  if (address.kind === "inet6") return "BindIPv6Only=ipv6-only\n";
  if (address.kind !== "unix") return "";
  return [
    ...(listen.owner === null ? [] : [`SocketUser=${listen.owner}`]),
    ...(listen.group === null ? [] : [`SocketGroup=${listen.group}`]),
    `SocketMode=${(listen.mode ?? 0o660).toString(8).padStart(4, "0")}`,
    "RemoveOnStop=yes",
    "",
  ].join("\n");
}
