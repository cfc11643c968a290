// Where `request` sends its request: an address given by hand, or a pool of the config.

import { resolve } from "node:path";
import type { PoolConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import { type Address, parseAddress } from "../sys/address.ts";
import { usageFault } from "./runner.ts";

export interface Target {
  readonly address: Address;
  /** The folder that the URL's path is looked up in. */
  readonly root: string;
}

export interface TargetOptions {
  readonly to?: string | undefined;
  readonly pool?: string | undefined;
  readonly config?: string | undefined;
  readonly prefix?: string | undefined;
}

/** Throws a usage fault for an address that is none; a Fault when there is no such pool. */
export async function findTarget(options: TargetOptions): Promise<Target> {
  return options.to === undefined ? poolTarget(options) : addressTarget(options.to);
}

function addressTarget(to: string): Target {
  const parsed = parseAddress(to, (path) => resolve(path));
  if ("problem" in parsed) throw usageFault(`--to: ${parsed.problem}; ${parsed.hint}`, "request");
  return { address: reachable(parsed.ok), root: process.cwd() };
}

async function poolTarget(options: TargetOptions): Promise<Target> {
  const { loadGivenConfig } = await import("./load-config.ts");
  const { config } = await loadGivenConfig(options, null);
  const pool = pick(config.pools, options.pool);
  return { address: reachable(pool.listen.address), root: pool.chdir ?? process.cwd() };
}

function pick(pools: readonly PoolConfig[], name: string | undefined): PoolConfig {
  const found = name === undefined ? pools[0] : pools.find((pool) => pool.name === name);
  if (found) return found;
  const names = pools.map((pool) => pool.name).join(", ");
  throw new Fault(name === undefined ? "the config has no pool" : `there is no pool ${name}`, {
    hint: names === "" ? "add a pool, or give --to ADDRESS" : `there are: ${names}`,
  });
}

/** A listener on all addresses is asked on the loopback one. */
function reachable(address: Address): Address {
  if (address.kind === "inet" && address.host === "0.0.0.0") {
    return { ...address, host: "127.0.0.1" };
  }
  return address.kind === "inet6" && address.host === "::" ? { ...address, host: "::1" } : address;
}
