// What a reload would do, as data: `reload --dry-run` prints it, the report of a reload repeats it.

import { type Change, diffConfigs, type Plan } from "../../config/derived/diff.ts";
import type { Config, PoolConfig } from "../../config/model.ts";
import { didYouMean } from "../../config/nearest.ts";
import { Fault } from "../../fault.ts";
import { addressText, sameAddress } from "../../sys/socket/address.ts";
import type { PoolOutcome } from "./report.ts";
import { firstOf } from "../../log/words.ts";

/** The config that a reload of some pools only leads to: the running one with those replaced. */
export function limitedTo(only: readonly string[], running: Config, next: Config): Config {
  if (only.length === 0) return next;
  const known = new Set([...running.pools, ...next.pools].map(({ name }) => name));
  const unknown = only.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    const close = unknown.length === 1 ? didYouMean(unknown[0]!, [...known]) : "";
    throw new Fault(`there is no pool ${unknown.map((name) => `"${name}"`).join(", ")}${close}`, {
      hint: `pools are ${firstOf([...known], 20)}`,
    });
  }
  const chosen = (pool: PoolConfig) => only.includes(pool.name);
  const kept = running.pools.filter((pool) => !chosen(pool));
  const taken = next.pools.filter(chosen);
  for (const pool of taken) refuseShared(pool, kept);
  return { ...running, pools: inOrderOf(next.pools, [...kept, ...taken]) };
}

/** Those that the file has, in its order; behind them those it has no more. */
function inOrderOf(file: readonly PoolConfig[], pools: readonly PoolConfig[]): PoolConfig[] {
  const place = new Map(file.map(({ name }, i) => [name, i]));
  const at = ({ name }: PoolConfig) => place.get(name) ?? place.size;
  return pools.toSorted((a, b) => at(a) - at(b));
}

/** The file as a whole gives each pool an address of its own; a part of it may not. */
function refuseShared(pool: PoolConfig, kept: readonly PoolConfig[]): void {
  const other = kept.find(({ listen }) => sameAddress(listen.address, pool.listen.address));
  if (other === undefined) return;
  throw new Fault(
    `pool ${pool.name} cannot have the address ${addressText(pool.listen.address)}: pool ${other.name} serves on it, and is not to be reloaded`,
    { hint: `reload both: fcgivisor reload ${pool.name} ${other.name}` },
  );
}

export interface Planned {
  readonly pools: readonly PoolOutcome[];
  /** Settings of the log and of the supervisor itself that change with it. */
  readonly settings: readonly Change[];
  /** Settings that a reload cannot change. */
  readonly needsRestart: readonly Change[];
}

/** What becomes of each pool that the reload is about. */
export function planned(
  running: Config,
  next: Config,
  isTouched: (pool: string) => boolean,
): Planned {
  const plan = diffConfigs(running, next);
  return {
    pools: outcomes(plan).filter(({ pool }) => isTouched(pool)),
    settings: [...plan.log, ...plan.supervisor],
    needsRestart: plan.needsRestart,
  };
}

function outcomes(plan: Plan): PoolOutcome[] {
  const whole = (outcome: "added" | "removed") => (pool: PoolConfig) => ({
    pool: pool.name,
    outcome,
    listen: addressText(pool.listen.address),
    changes: [],
  });
  const changed = (outcome: "replaced" | "readdressed") => (pool: Plan["replaced"][number]) => ({
    pool: pool.name,
    outcome,
    listen: addressText(pool.next.listen.address),
    changes: pool.changes,
  });
  return [
    ...plan.added.map(whole("added")),
    ...plan.replaced.map(changed("replaced")),
    ...plan.readdressed.map(changed("readdressed")),
    ...plan.removed.map(whole("removed")),
  ];
}
