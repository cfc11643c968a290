// Warnings that say the same become one, with whom and which lines it is about: a config of a hundred pools
// does not say a hundred times what its pools have in common.

import { Fault, type Place } from "../fault.ts";

/** In the order of the first of each. */
export function together(warnings: readonly Fault[]): Fault[] {
  return [...Map.groupBy(warnings, sameness).values()].map((same) =>
    same.length === 1 ? same[0]! : one(same),
  );
}

const POOL = /^pool (\S+)(: |$)/;

/** What is told, whichever pool it is about and wherever it stands. */
function sameness({ message, hint, where }: Fault): string {
  const place = typeof where === "string" && !POOL.test(where) ? where : "";
  return JSON.stringify([message.replace(POOL, ""), hint, place]);
}

function one(warnings: readonly Fault[]): Fault {
  const { message, hint, where } = warnings[0]!;
  const pools = [...new Set(warnings.flatMap(poolsOf))];
  const whose = pools.length === 0 ? "" : `pools ${listed(pools)}: `;
  const places = warnings.flatMap(placeOf);
  return new Fault(
    `${whose}${message.replace(POOL, "")}${pools.length === 0 ? ` (${warnings.length} times)` : ""}`,
    {
      ...(places.length > 0 ? { where: placesText(places) } : {}),
      ...(places.length === 0 && where !== undefined && pools.length === 0 ? { where } : {}),
      ...(hint === undefined ? {} : { hint }),
    },
  );
}

function poolsOf({ message, where }: Fault): string[] {
  const name = POOL.exec(message) ?? POOL.exec(typeof where === "string" ? where : "");
  return name === null ? [] : [name[1]!];
}

function placeOf({ where }: Fault): Place[] {
  return typeof where === "object" ? [where] : [];
}

/** `FILE:6,12,18`. */
function placesText(places: readonly Place[]): string {
  const files = [...Map.groupBy(places, ({ file }) => file)];
  const texts = files.map(([file, inIt]) => {
    const lines = inIt.flatMap(({ line }) => (line === undefined ? [] : [String(line)]));
    return lines.length === 0 ? file : `${file}:${listed(lines, ",")}`;
  });
  return listed(texts);
}

const MOST_LISTED = 20;

function listed(names: readonly string[], comma = ", "): string {
  const rest = names.length - MOST_LISTED;
  return `${names.slice(0, MOST_LISTED).join(comma)}${rest > 0 ? ` and ${rest} more` : ""}`;
}
