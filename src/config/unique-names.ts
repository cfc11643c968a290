// Names for legacy pools: there they were for the log only and could be anything, here they tell the
// pools apart.

import type { Problems, Where } from "./problems.ts";

export function uniqueNames(
  wanted: readonly { readonly name: string; readonly where: Where }[],
  problems: Problems,
): string[] {
  const taken = new Set<string>();
  return wanted.map(({ name, where }) => {
    const plain = plainName(name);
    const unique = freeName(plain, taken);
    taken.add(unique);
    if (unique !== name) {
      const why = plain === name ? "another pool has that name" : "a name is one plain word";
      problems.warn(`the pool "${name}" is called ${unique} here: ${why}`, where);
    }
    return unique;
  });
}

function plainName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9._-]+/g, "-").replaceAll(/^[^A-Za-z0-9]+|-+$/g, "");
  return plain === "" ? "default" : plain.slice(0, 60);
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  let number = 2;
  while (taken.has(`${name}-${number}`)) number++;
  return `${name}-${number}`;
}
