// A pool as somebody on another host reaches it, for files that spread requests over several hosts.

import { type Address, isDualStack } from "../../sys/socket/address.ts";
import type { PoolFacts, ServiceFacts } from "./facts.ts";

/** Stands for the address of a host, to be filled in. */
export const HOST = "FILL-IN-HOST";

/** The port; null: a Unix socket, or an address of this machine alone. */
export function reachablePort(address: Address): number | null {
  if (address.kind === "unix" || isLoopback(address.host)) return null;
  return address.port;
}

/** The port of /readyz, as other hosts reach it; null: they cannot. */
export function readyPort({ metrics }: Pick<ServiceFacts, "metrics">): number | null {
  return metrics === null || metrics.kind === "systemd" ? null : reachablePort(metrics);
}

/** What to say of pools that other hosts cannot reach; empty when they can. */
export function unreachableNote({ name, address }: PoolFacts): string {
  if (reachablePort(address) !== null) return "";
  return `# Pool ${name} listens where no other host can connect: give it an address of the network, and allowed_clients.\n`;
}

/** The same as `host:port`, `host` filled in. */
export function reachedAt(address: Address, host = HOST): string {
  const port = address.kind === "unix" ? "FILL-IN-PORT" : address.port;
  if (address.kind !== "unix" && !isLoopback(address.host) && !isAny(address)) {
    return address.kind === "inet6" ? `[${address.host}]:${port}` : `${address.host}:${port}`;
  }
  return `${host}:${port}`;
}

function isAny(address: Exclude<Address, { kind: "unix" }>): boolean {
  return address.host === "0.0.0.0" || address.host === "::" || isDualStack(address);
}

function isLoopback(host: string): boolean {
  return host === "::1" || host.startsWith("127.");
}

/** A name for configs that take letters, digits and underscores only. */
export function plainName({ name }: PoolFacts): string {
  return `fcgivisor_${name.replaceAll(/[^A-Za-z0-9_]/g, "_")}`;
}
