// Names of hosts in listening addresses: php-fpm, old and new, takes a name and listens on its first
// IPv4 address. TOML has addresses only, because a name makes the start depend on the resolver.

import { lookup } from "node:dns/promises";
import { sleep } from "../../sys/clock.ts";
import type { Draft, Entry, PoolDraft } from "../draft.ts";
import type { Problems } from "../problems.ts";

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
    const entries: Entry[] = [];
    for (const entry of pool.entries)
      entries.push(mayBeHost(entry) ? await withHostFound(entry, find, problems) : entry);
    return { ...pool, entries };
  });
  return { ...draft, pools: await Promise.all(pools) };
}

/** Who is asked for must not wait for names that do not count. */
function mayBeHost({ name, raw, replaced }: Entry): boolean {
  return (
    name === "listen.address" && replaced !== true && typeof raw === "string" && HOST.test(raw)
  );
}

const HOST = /^([A-Za-z][A-Za-z0-9.-]*):(\d+)$/;

async function withHostFound(
  entry: Entry,
  find: (name: string) => Promise<string | null>,
  problems: Problems,
): Promise<Entry> {
  const [, name, port] = HOST.exec(String(entry.raw)) ?? [];
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
