// Why a group could not be spawned or did not become ready, in words that let somebody act: what it did, and what it said.

import type { PoolConfig } from "../config/model.ts";
import { Fault } from "../fault.ts";
import { ended } from "../log/words.ts";
import { shortage } from "../sys/scarcity.ts";
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

/** When the system could not even start the process; a Fault about the program stays what it is. */
export function spawnFault({ name, command }: PoolConfig, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const where = `pool ${name}`;
  return new Fault(`cannot start ${command[0]}`, { where, cause: error, ...shortage(error) });
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
