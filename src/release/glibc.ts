// Which glibc a program needs, as its own table of symbol versions says.

import { readFileSync } from "node:fs";

/** The highest version named: "2.17". Throws when there is none. */
export function neededGlibc(program: string): string {
  const names = readFileSync(program)
    .toString("latin1")
    .matchAll(/\0GLIBC_2\.(\d+)(?=[.\d]*\0)/g);
  const minors = [...names].map((match) => Number(match[1]));
  if (minors.length === 0) throw new Error(`${program} names no version of glibc`);
  return `2.${Math.max(...minors)}`;
}
