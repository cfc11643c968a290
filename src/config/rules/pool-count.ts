// How many pools one config may have. Each is at least one process and one socket; with more than any
// machine can run the rest of the reading would only take long.

import { Fault } from "../../fault.ts";

const MOST_POOLS = 10_000;

/** Throws a Fault when there are too many. */
export function checkPoolCount(count: number, file: string): void {
  if (count <= MOST_POOLS) return;
  throw new Fault(`there are ${count} pools in this config, and ${MOST_POOLS} are possible`, {
    where: { file },
    hint: "give some of them to another supervisor",
  });
}
