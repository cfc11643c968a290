// What pools inherit from [defaults]: every setting that they do not give themselves. A table of names
// and values (env, php.defines) is added to, name by name; everything else is replaced.

import type { Entry, PoolDraft } from "./draft.ts";
import type { Problems } from "./problems.ts";

export function withDefaults(
  pools: readonly PoolDraft[],
  defaults: readonly Entry[],
  problems: Problems,
): PoolDraft[] {
  const kept = defaults.filter((entry) => mayBeInherited(entry, problems));
  return pools.map((pool) => ({ ...pool, entries: inherited(kept, pool.entries) }));
}

function mayBeInherited({ name, label, where }: Entry, problems: Problems): boolean {
  if (name !== "listen.address") return true;
  problems.error(
    `"${label}" cannot be inherited: each pool has an address of its own`,
    where,
    "move it to the pools, each with another address",
  );
  return false;
}

function inherited(defaults: readonly Entry[], own: readonly Entry[]): Entry[] {
  const ownNamed = new Map(own.map((entry) => [entry.name, entry]));
  const given = new Map(defaults.map((entry) => [entry.name, entry]));
  // What is replaced is still checked, so that an error shows before the pool that needs it is added.
  const first = defaults.map((entry) =>
    ownNamed.has(entry.name) ? { ...entry, replaced: true } : entry,
  );
  return [...first, ...own.map((entry) => added(given.get(entry.name), entry))];
}

function added(given: Entry | undefined, own: Entry): Entry {
  if (given === undefined || !isTable(given.raw) || !isTable(own.raw)) return own;
  return { ...own, raw: { ...given.raw, ...own.raw } };
}

function isTable(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) && !(raw instanceof Date);
}
