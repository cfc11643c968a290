// Where `request` sends its request: an address given by hand, or a pool of the config.

import { resolve } from "node:path";
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
  readonly socket?: string | undefined;
  readonly prefix?: string | undefined;
}

/** Throws a usage fault for an address that is none. */
export async function findTarget(options: TargetOptions): Promise<Target> {
  if (options.to === undefined) throw usageFault("give --to ADDRESS", "request");
  const parsed = parseAddress(options.to, (path) => resolve(path));
  if ("problem" in parsed) throw usageFault(`--to: ${parsed.problem}; ${parsed.hint}`, "request");
  return { address: parsed.ok, root: process.cwd() };
}
