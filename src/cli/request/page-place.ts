// Which page of which pool `request` and `bench` are given: [POOL] URL-PATH.

import { usageFault } from "../usage.ts";

export interface PagePlace {
  /** null = the first, or whatever answers at `--to`. */
  readonly pool: string | null;
  readonly url: string;
}

/** Throws a usage fault of that command for whatever does not fit. */
export function pagePlaceOf(
  words: readonly string[],
  { to, pool }: { readonly to?: string | undefined; readonly pool?: string | undefined },
  command: string,
): PagePlace {
  const usage = (message: string) => usageFault(message, command);
  const [first, second, ...more] = words;
  if (first === undefined) throw usage(`${command} needs a URL-PATH`);
  if (more.length > 0) throw usage("too many arguments");
  if (second !== undefined) {
    if (to !== undefined) throw usage(`with --to, ${command} takes a URL-PATH and no pool`);
    if (pool !== undefined) throw usage(`--pool and the pool ${first}: one of them is enough`);
    return { pool: first, url: second };
  }
  if (to === undefined && pool === undefined && !isPath(first))
    throw usage(`${command} needs a URL-PATH after the pool ${first}`);
  return { pool: pool ?? null, url: first };
}

/** Not a pool's name alone: `/`, `index.php`, `?a=1`. */
function isPath(word: string): boolean {
  return /[/.?]/.test(word);
}
