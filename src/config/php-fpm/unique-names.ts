// Names for pools of php-fpm, old and new: there they were for the log only and could be anything, here they tell the
// pools apart.

import type { Problems, Where } from "../problems.ts";

export function uniqueNames(
  wanted: readonly { readonly name: string; readonly where: Where }[],
  problems: Problems,
): string[] {
  const taken = new Map<string, number>();
  return wanted.map(({ name, where }) => {
    const plain = plainName(name);
    const unique = freeName(plain, taken);
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

/** `taken`: each name with the number that the next of that name tries first. */
function freeName(name: string, taken: Map<string, number>): string {
  let free = name;
  let number = taken.get(name) ?? 1;
  for (; taken.has(free); number++) free = `${name}-${number + 1}`;
  taken.set(name, number);
  if (free !== name) taken.set(free, 1);
  return free;
}
