// Names of hosts in listening addresses: php-fpm, old and new, takes a name and listens on its first
// IPv4 address. TOML has addresses only, because a name makes the start depend on the resolver.

import { lookup } from "node:dns/promises";
import { sleep } from "../sys/clock.ts";
import type { Draft, Entry, PoolDraft } from "./draft.ts";
import type { Problems } from "./problems.ts";

/** A check of a config must not hang on a silent name server. */
const PATIENCE_MS = 700;

/** The draft with the names replaced, each with a warning; what cannot be found becomes a problem. */
export async function withHostsFound(draft: Draft, problems: Problems): Promise<Draft> {
  const known = new Map<string, Promise<string | null>>();
  const find = (name: string) => {
    const found = known.get(name) ?? firstAddress(name);
    known.set(name, found);
    return found;
  };
  const pools = draft.pools.map(async (pool): Promise<PoolDraft> => {
    const entries = pool.entries.map((entry) => withHostFound(entry, find, problems));
    return { ...pool, entries: await Promise.all(entries) };
  });
  return { ...draft, pools: await Promise.all(pools) };
}

async function withHostFound(
  entry: Entry,
  find: (name: string) => Promise<string | null>,
  problems: Problems,
): Promise<Entry> {
  if (entry.name !== "listen.address" || typeof entry.raw !== "string") return entry;
  const [, name, port] = /^([A-Za-z][A-Za-z0-9.-]*):(\d+)$/.exec(entry.raw) ?? [];
  if (name === undefined || name === "localhost") return entry;
  const address = await find(name);
  if (address === null) {
    const problem = `"${entry.raw}": there is no host "${name}"`;
    return { ...entry, problem: { problem, hint: `write an address: 127.0.0.1:${port}` } };
  }
  problems.warn(
    `${entry.label}: the name "${name}" stands for ${address} now`,
    entry.where,
    `write ${address}:${port}, which does not depend on the name server`,
  );
  return { ...entry, raw: `${address}:${port}` };
}

async function firstAddress(name: string): Promise<string | null> {
  const found = lookup(name, { family: 4 }).then(
    ({ address }) => address,
    () => null, // no such host, or nobody to ask: either way there is nothing to listen on
  );
  return Promise.race([found, sleep(PATIENCE_MS).then(() => null)]);
}
