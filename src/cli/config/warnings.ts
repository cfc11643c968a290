// Warnings as lines for people. Those that say the same are one, with how many there are and where they
// stand: a config of a hundred pools does not say a hundred times what its pools have in common.

import { type Fault, faultLines, type Place } from "../../fault.ts";
import { count } from "../../log/words.ts";

/** As `faultLines` has them; the first of each warning begins with "warning: ". */
export function warningLines(warnings: readonly Fault[]): string[] {
  return [...Map.groupBy(warnings, sameness).values()].flatMap(([first, ...others]) => {
    if (others.length > 0) return together([first!, ...others]);
    const [head = "", ...rest] = faultLines(first!);
    return [`warning: ${head}`, ...rest];
  });
}

const POOL = /^pool (\S+): /;

function sameness({ message, hint, where }: Fault): string {
  // A pool as the place says as much as a pool in front of the message.
  const place = typeof where === "string" && !where.startsWith("pool ") ? where : "";
  return JSON.stringify([message.replace(POOL, ""), hint, place]);
}

function together(warnings: readonly Fault[]): string[] {
  const [{ message, hint }] = warnings as readonly [Fault, ...Fault[]];
  const pools = new Set(warnings.flatMap(poolOf));
  const whose = pools.size === 0 ? "" : `${count(pools.size, "pool")} (${listed([...pools])}): `;
  const lines = Map.groupBy(warnings.flatMap(placeOf), ({ file }) => file);
  return [
    `warning, ${warnings.length} times: ${whose}${message.replace(POOL, "")}`,
    ...[...lines].map(([file, places]) => `    ${file}: ${linesText(places)}`),
    ...(hint === undefined ? [] : [`  hint: ${hint}`]),
  ];
}

function poolOf({ message, where }: Fault): string[] {
  const name =
    POOL.exec(message)?.[1] ?? (typeof where === "string" ? where : "").split("pool ")[1];
  return name === undefined ? [] : [name];
}

function placeOf({ where }: Fault): Place[] {
  return typeof where === "object" ? [where] : [];
}

function linesText(places: readonly Place[]): string {
  const lines = places.flatMap(({ line }) => (line === undefined ? [] : [String(line)]));
  return lines.length === 1 ? `line ${lines[0]}` : `lines ${listed(lines)}`;
}

const MOST_LISTED = 20;

function listed(names: readonly string[]): string {
  const rest = names.length - MOST_LISTED;
  return `${names.slice(0, MOST_LISTED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
