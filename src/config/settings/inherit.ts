// What pools inherit from [defaults]: every setting that they do not give themselves. A table of names
// and values (env, php.defines) is added to, name by name; everything else is replaced.

import { Fault } from "../../fault.ts";
import type { Entry, PoolDraft } from "../draft.ts";
import type { Problems } from "../problems.ts";
import { unknownSetting } from "./section.ts";
import { POOL } from "./settings.ts";

export function withDefaults(
  pools: readonly PoolDraft[],
  defaults: readonly Entry[],
  problems: Problems,
): PoolDraft[] {
  const given = new Map(
    defaults
      .filter((entry) => mayBeInherited(entry, problems))
      .map((entry) => [entry.name, { ...entry, shared: true }]),
  );
  // What is replaced is still checked, so that an error shows before the pool that needs it is added.
  const replaced = new Map([...given].map(([name, entry]) => [name, { ...entry, replaced: true }]));
  checkAmount(given, pools);
  return pools.map((pool) => ({ ...pool, entries: inherited(given, replaced, pool.entries) }));
}

function mayBeInherited(entry: Entry, problems: Problems): boolean {
  const { name, label, where } = entry;
  if (!Object.hasOwn(POOL, name)) {
    unknownSetting(problems, POOL, entry);
    return false;
  }
  if (name !== "listen.address") return true;
  problems.error(
    `"${label}" cannot be inherited: each pool has an address of its own`,
    where,
    "move it to the pools, each with another address",
  );
  return false;
}

type ByName = ReadonlyMap<string, Entry>;

function inherited(given: ByName, replaced: ByName, own: readonly Entry[]): Entry[] {
  const ownNames = new Set(own.map((entry) => entry.name));
  const first = [...given].map(([name, entry]) =>
    ownNames.has(name) ? replaced.get(name)! : entry,
  );
  return [...first, ...own.map((entry) => added(given.get(entry.name), entry))];
}

/** Names that are written out again for the pools that add to them, over all pools. */
const MOST_ADDED_TO = 1_000_000;

/** Throws a Fault when a small file asks for very many. */
function checkAmount(given: ByName, pools: readonly PoolDraft[]): void {
  for (const { name, label, raw, where } of given.values()) {
    if (!isTable(raw)) continue;
    const adding = pools.filter(({ entries }) => entries.some((entry) => entry.name === name));
    const names = Object.keys(raw).length;
    if (names * adding.length <= MOST_ADDED_TO) continue;
    const what = `"${label}" has ${names} names, too many for ${adding.length} pools that add to it`;
    throw new Fault(what, {
      where,
      hint: "give them to the program in another way, such as a file",
    });
  }
}

function added(given: Entry | undefined, own: Entry): Entry {
  if (given === undefined || !isTable(given.raw) || !isTable(own.raw)) return own;
  return { ...own, raw: { ...given.raw, ...own.raw } };
}

function isTable(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) && !(raw instanceof Date);
}
