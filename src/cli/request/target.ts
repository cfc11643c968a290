// Where `request` and `bench` send requests: an address given by hand, or a pool. What runs knows best where
// a pool listens; the config is asked for the rest, and for pools that no supervisor of ours has.

import { resolve } from "node:path";
import type { AdminClient } from "../../admin/client.ts";
import { didYouMean } from "../../config/nearest.ts";
import { asFault, Fault } from "../../fault.ts";
import { type Address, isDualStack, parseAddress } from "../../sys/socket/address.ts";
import { usageFault } from "../usage.ts";
import { firstOf } from "../../log/words.ts";

export interface Target {
  readonly address: Address;
  /** The folder that the URL's path is looked up in. */
  readonly root: string;
  /** Where that is from: "the pool's chdir". */
  readonly rootIs: string;
}

const HERE = "this folder, for want of another";

export interface TargetOptions {
  readonly to?: string | undefined;
  readonly pool?: string | undefined;
  readonly config?: string | undefined;
  readonly socket?: string | undefined;
  readonly prefix?: string | undefined;
}

/** Throws a usage fault of that command for an address that is none; a Fault when there is no such pool. */
export async function findTarget(options: TargetOptions, command: string): Promise<Target> {
  return options.to === undefined ? poolTarget(options) : addressTarget(options.to, command);
}

function addressTarget(to: string, command: string): Target {
  const parsed = parseAddress(to, (path) => resolve(path));
  if ("problem" in parsed) throw usageFault(`--to: ${parsed.problem}; ${parsed.hint}`, command);
  return { address: reachable(parsed.ok), root: process.cwd(), rootIs: HERE };
}

/** The names of the pools that `--pool` may name; none when neither a supervisor nor a config tells. */
export async function knownPools(options: TargetOptions): Promise<string[]> {
  const running = await runningPools(options);
  const pools = running instanceof Fault ? await configPools(options) : running;
  return pools instanceof Fault ? [] : pools.map(({ name }) => name);
}

/** A pool as one of the two sources knows it. */
interface KnownPool {
  readonly name: string;
  readonly address: Address;
  readonly chdir: string | null;
}

async function poolTarget(options: TargetOptions): Promise<Target> {
  const [running, configured] = await Promise.all([runningPools(options), configPools(options)]);
  if (running instanceof Fault && configured instanceof Fault) {
    throw options.config === undefined ? withAddressHint(running) : configured;
  }
  const all = [running, configured].flatMap((pools) => (pools instanceof Fault ? [] : pools));
  const { name, address } = pick(all, options.pool);
  const chdir = all.find((pool) => pool.name === name && pool.chdir !== null)?.chdir;
  if (chdir == null) return { address: reachable(address), root: process.cwd(), rootIs: HERE };
  return { address: reachable(address), root: chdir, rootIs: "the pool's chdir" };
}

async function runningPools(options: TargetOptions): Promise<KnownPool[] | Fault> {
  const { controlSocket } = await import("../control/control-socket.ts");
  const { AdminClient } = await import("../../admin/client.ts");
  try {
    const client = new AdminClient(await controlSocket(options));
    const { pools } = await client.status();
    const folders = await foldersOf(client);
    return pools.flatMap(({ name, listen }) => {
      const parsed = parseAddress(listen, (path) => path);
      const chdir = folders.get(name) ?? null;
      return "problem" in parsed ? [] : [{ name, address: parsed.ok, chdir }];
    });
  } catch (error) {
    return asFault(error);
  }
}

/** The chdir of each pool that runs; of none where the supervisor does not tell. */
async function foldersOf(client: AdminClient): Promise<ReadonlyMap<string, string | null>> {
  const { configFromJson } = await import("../../config/derived/wire.ts");
  const config = await client.config().then(configFromJson, () => null);
  return new Map(config?.pools.map(({ name, chdir }) => [name, chdir]));
}

async function configPools(options: TargetOptions): Promise<KnownPool[] | Fault> {
  const { loadGivenConfig } = await import("../config/load-config.ts");
  try {
    const { config } = await loadGivenConfig(options, null);
    // Where a socket of systemd's is, only the running supervisor knows.
    return config.pools.flatMap(({ name, listen: { address }, chdir }) =>
      address.kind === "systemd" ? [] : [{ name, address, chdir }],
    );
  } catch (error) {
    return asFault(error);
  }
}

function pick(pools: readonly KnownPool[], name: string | undefined): KnownPool {
  const found = name === undefined ? pools[0] : pools.find((pool) => pool.name === name);
  if (found) return found;
  const known = [...new Set(pools.map((pool) => pool.name))];
  const names = firstOf(known, 20);
  const which = name === undefined ? "" : ` ${name}${didYouMean(name, known)}`;
  throw new Fault(`there is no pool${which}`, {
    hint: names === "" ? "add a pool, or give --to ADDRESS" : `there are: ${names}`,
  });
}

function withAddressHint({ message, exitCode }: Fault): Fault {
  const hint =
    "give a config with -c FILE, a control socket with --socket, or any address with --to";
  return new Fault(message, { exitCode, hint });
}

/** A listener on all addresses is asked on the loopback one. */
export function reachable(address: Address): Address {
  if (address.kind === "unix") return address;
  if (address.host === "0.0.0.0" || isDualStack(address))
    return { kind: "inet", host: "127.0.0.1", port: address.port };
  return address.kind === "inet6" && address.host === "::" ? { ...address, host: "::1" } : address;
}
