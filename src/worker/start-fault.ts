// Why a group could not be spawned or did not become ready, told so that somebody can act: what it did,
// and what it wrote.

import type { PoolConfig } from "../config/model.ts";
import type { ProcessEnd } from "../event.ts";
import { Fault } from "../fault.ts";
import { ended } from "../log/words.ts";
import { shortage } from "../sys/scarcity.ts";
import type { GroupEvent } from "./lifecycle.ts";

export interface FailedStart {
  /** What happened to it while it was starting. */
  readonly event: GroupEvent;
  readonly pool: PoolConfig;
  readonly pid: number;
  /** How its process ended; null while it lives. */
  readonly end: ProcessEnd | null;
  /** The last lines it wrote. */
  readonly outputTail: readonly string[];
}

export function startFault(failed: FailedStart): Fault {
  const { pool, outputTail } = failed;
  const wrote =
    outputTail.length === 0 ? "it wrote nothing" : `it wrote: ${outputTail.join(" | ")}`;
  return new Fault(`${whatHappened(failed)}; ${wrote}`, {
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

function whatHappened({ event, pool, pid, end }: FailedStart): string {
  const who = `the worker (process ${pid})`;
  switch (event) {
    case "start-timeout":
      return `${who} did not reach accept() within start_timeout (${pool.startTimeoutMs} ms)`;
    case "stop":
    case "drain":
      return `${who} was told to stop while it was starting`;
    default:
      return `${who} ${end === null ? "ended" : ended(end)} while it was starting`;
  }
}
