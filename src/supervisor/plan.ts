// `reload --dry-run`: what a reload would do, without touching anything.

import type { Plan } from "../config/diff.ts";
import type { PoolConfig } from "../config/model.ts";
import { addressText } from "../sys/address.ts";
import type { PoolOutcome } from "./report.ts";

/** What becomes of each pool. `touched`: names of the pools that the reload is about. */
export function planOutcomes(plan: Plan, touched: ReadonlySet<string>): PoolOutcome[] {
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
  ].filter(({ pool }) => touched.has(pool));
}
