// Why a group could not be spawned or did not become ready, told so that somebody can act: what it did,
// and what it wrote.

import type { PoolConfig } from "../config/model.ts";
import type { ProcessEnd } from "../event.ts";
import { Fault } from "../fault.ts";
import { count, ended, shellWord } from "../log/words.ts";
import { shortage } from "../sys/machine/scarcity.ts";
import type { GroupEvent } from "./lifecycle.ts";

export interface FailedStart {
  /** What happened to it while it was starting. */
  readonly event: GroupEvent;
  readonly pool: PoolConfig;
  readonly pid: number;
  /** How its process ended; null while it lives. */
  readonly end: ProcessEnd | null;
  /** Processes that it has forked and that have its listening socket. */
  readonly children: number;
  /** The last lines it wrote. */
  readonly outputTail: readonly string[];
}

export function startFault(failed: FailedStart): Fault {
  const { pool, outputTail } = failed;
  const wrote =
    outputTail.length === 0 ? "it wrote nothing" : `it wrote: ${outputTail.join(" | ")}`;
  return new Fault(`${whatHappened(failed)}; ${wrote}`, {
    where: `pool ${pool.name}`,
    hint: forksByItself(failed)
      ? 'let it serve alone, and the supervisor start as many as `workers` says: a process manager inside the program (--nproc, --manager; --manager "" for plackup) is turned off, and runtime = "libfcgi" set where it uses that library or perl\'s FCGI'
      : `try the command by hand: ${pool.command.map(shellWord).join(" ")}`,
  });
}

/** When the system could not even start the process; a Fault about the program stays what it is. */
export function spawnFault({ name, command }: PoolConfig, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const where = `pool ${name}`;
  return new Fault(`cannot start ${command[0]}`, { where, cause: error, ...shortage(error) });
}

/** A program that serves by processes of its own: they are nobody's workers. */
function forksByItself({ event, children }: FailedStart): boolean {
  return event === "start-timeout" && children > 0;
}

function whatHappened(failed: FailedStart): string {
  const { event, pool, pid, end } = failed;
  const who = `the worker (process ${pid})`;
  if (forksByItself(failed)) {
    const others = count(failed.children, "process", "processes");
    return `${who} serves nobody itself: it has started ${others} of its own on the pool's socket, which the supervisor neither counts nor replaces`;
  }
  switch (event) {
    case "start-timeout":
      return `${who} did not reach accept() within start_timeout (${pool.startTimeoutMs} ms)`;
    case "workers-fail":
      return `the workers that process ${pid} forks end before they can serve`;
    case "stop":
    case "drain":
      return `${who} was told to stop while it was starting`;
    default:
      return `${who} ${end === null ? "ended" : ended(end)} while it was starting`;
  }
}
