// Why a group did not become ready, in words that let somebody act: what it did, and what it said.

import { Fault } from "../fault.ts";
import { ended } from "../log/words.ts";
import type { Group } from "./group.ts";
import type { GroupEvent } from "./lifecycle.ts";

export function startFault(event: GroupEvent, group: Group): Fault {
  const { pool } = group.context;
  const words = group.lastWords;
  const said = words.length === 0 ? "it wrote nothing" : `it wrote: ${words.join(" | ")}`;
  return new Fault(`${whatHappened(event, group)}; ${said}`, {
    where: `pool ${pool.name}`,
    hint: `try the command by hand: ${pool.command.join(" ")}`,
  });
}

function whatHappened(event: GroupEvent, group: Group): string {
  const { pool } = group.context;
  const who = `the worker (process ${group.leader.pid})`;
  switch (event) {
    case "start-timeout":
      return `${who} did not reach accept() within start_timeout (${pool.startTimeoutMs} ms)`;
    case "stop":
    case "drain":
      return `${who} was told to stop while it was starting`;
    default:
      return `${who} ${group.ended === null ? "ended" : ended(group.ended.end)} while it was starting`;
  }
}
