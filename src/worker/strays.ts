// Workers that an earlier supervisor left: not our children, known only by the socket they accept
// from. They are asked to leave as our own would be, and watched through /proc.

import type { PoolConfig } from "../config/model.ts";
import type { Emit } from "../event.ts";
import type { Listening } from "../observe/activity.ts";
import type { Scoreboard } from "../observe/scoreboard.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { holdersOf } from "../socket/holders.ts";
import { now, sleep } from "../sys/clock.ts";
import { signal } from "../sys/process.ts";
import { type ProcessId, processGroup, type ProcessStat, stillThere } from "../sys/procfs.ts";
import { stopGracefully } from "./graceful-stop.ts";
import { stuckEvent } from "./stuck.ts";

export interface Strays {
  readonly pool: Pick<PoolConfig, "name" | "stopSignal" | "drainTimeoutMs">;
  readonly runtime: Runtime;
  readonly listener: Listening;
  readonly scoreboard: Scoreboard;
  /** Name of the program, as /proc tells it; null = unknown. What scripts started has another one. */
  readonly command: string | null;
  /** Process groups they were started as, for where nobody lets us see who holds the socket. */
  readonly groups: readonly ProcessId[];
  /** Process groups that are our own. */
  readonly own: () => ReadonlySet<number>;
  readonly emit: Emit;
  /** Aborts: no more patience, TERM at once. */
  readonly hurry: AbortSignal;
}

const POLL_MS = 10;
const TERM_GRACE_MS = 1000;

/** Lets them finish what is in hand and leave; then TERM, then KILL. Resolves when none is left. */
export async function drainStrays(strays: Strays): Promise<void> {
  const since = now();
  const found = findStrays(strays);
  if (found.length === 0) return;
  endLeaders(found);
  // What a leader forked before it went.
  const left = new Map(findStrays(strays).map((stat) => [stat.pid, stat]));
  const workers = () => [...left.values()].map(stillThere).filter((stat) => stat !== null);
  const deadline = since + strays.pool.drainTimeoutMs;
  const { pool, runtime, listener, scoreboard } = strays;
  const set = {
    listener,
    present: () => ({ leader: null, workers: workers() }),
    ...(runtime.requestOf === undefined ? {} : { requestOf: runtime.requestOf }),
  };
  const goesOn = () => !strays.hurry.aborted && now() < deadline && workers().length > 0;
  await stopGracefully({ pool, runtime, workers: set, scoreboard, goesOn });
  await escalate(strays, workers, since);
  strays.emit({
    type: "strays-left",
    pool: strays.pool.name,
    workers: found.length,
    ms: now() - since,
  });
}

/** Who serves on the socket, but for our own and for what scripts started. */
export function findStrays({
  listener,
  command,
  groups,
  own,
}: Pick<Strays, "listener" | "command" | "groups" | "own">): ProcessStat[] {
  const ours = own();
  const onSocket = holdersOf({ inode: String(listener.inode), command, groups });
  const found = onSocket.length > 0 ? onSocket : groups.flatMap(membersNow);
  return found.filter(
    (stat) => !ours.has(stat.group) && (command === null || stat.command === command),
  );
}

/** A number may mean another process by now; what is older than the group began is none of it. */
function membersNow({ pid, startTime }: ProcessId): readonly ProcessStat[] {
  return processGroup(pid, now()).filter(
    (stat) => stat.startTime >= startTime && stat.state !== "Z",
  );
}

/** A leader only waits and refills; its workers go on when it is gone. */
function endLeaders(found: readonly ProcessStat[]): void {
  const parents = new Set(found.map(({ parent }) => parent));
  for (const { pid } of found) if (parents.has(pid)) signal(pid, "SIGKILL");
}

async function escalate(
  strays: Strays,
  workers: () => ProcessStat[],
  since: number,
): Promise<void> {
  for (const name of ["SIGTERM", "SIGKILL"] as const) {
    const end = now() + TERM_GRACE_MS;
    for (const { pid } of workers()) {
      const afterMs = now() - since;
      // Who is in a hurry did not want to wait for them.
      if (!strays.hurry.aborted) {
        const pool = strays.pool.name;
        strays.emit({ type: "drain-escalated", pool, pid, signal: name, afterMs });
      }
      signal(pid, name);
      signal(pid, "SIGCONT");
    }
    while (workers().length > 0 && now() < end) await sleep(POLL_MS);
  }
  for (const { pid } of workers()) strays.emit(stuckEvent(strays.pool.name, pid));
}
