// Workers that an earlier supervisor left: not our children, known only by the socket they accept
// from. They are asked to leave as our own would be, and watched through /proc.

import type { PoolConfig } from "../config/model.ts";
import type { Emit } from "../event.ts";
import type { Listening } from "../observe/activity.ts";
import type { RequestRecord } from "../observe/request.ts";
import type { Present, WorkerSet } from "../observe/sample.ts";
import type { Scoreboard } from "../observe/scoreboard.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { holdersOf, type LeftSocket } from "../socket/holders.ts";
import { now } from "../sys/clock.ts";
import { sendSignal, type Signal } from "../sys/process.ts";
import { ANYBODY, SocketHolders, socketsOf } from "../sys/proc/proc-sockets.ts";
import { joinOwnGroup, unitOf } from "../sys/control-group.ts";
import {
  type ProcessId,
  processesWhere,
  type ProcessStat,
  stillThere,
} from "../sys/proc/procfs.ts";
import { stopGracefully } from "./graceful-stop.ts";
import { Life } from "./life.ts";

export interface LeftOverContext {
  readonly pool: Pick<PoolConfig, "name" | "stopSignal" | "drainTimeoutMs">;
  readonly runtime: Runtime;
  readonly listener: Listening;
  readonly scoreboard: Scoreboard;
  /** Name of the program, as /proc tells it; null = unknown. What scripts started has another one: "anybody" is that, too. */
  readonly command: string | "anybody" | null;
  /** User that they run as; null = unknown. */
  readonly uid: number | null;
  /** Process groups they were started as, for where nobody lets us see who holds the socket. */
  readonly groups: readonly ProcessId[];
  readonly emit: Emit;
}

export class LeftOverWorkers implements WorkerSet {
  readonly listener: Listening;
  readonly requestOf?: (pid: number) => RequestRecord;
  private readonly context: LeftOverContext;
  /** Those that are to leave. */
  private leaving: readonly ProcessStat[] = [];

  constructor(context: LeftOverContext) {
    this.context = context;
    this.listener = context.listener;
    if (context.runtime.requestOf !== undefined) this.requestOf = context.runtime.requestOf;
  }

  /** Those that are to leave, as far as they are still there. */
  present(): Present {
    const workers = this.leaving.map(stillThere).filter((stat) => stat !== null);
    return { leader: null, workers };
  }

  /** Who serves on the socket, but for process groups of our own and for what scripts started. */
  find(look: SocketHolders, own: ReadonlySet<number>): readonly ProcessStat[] {
    const { listener, runtime, command, uid, groups } = this.context;
    const left = { inode: String(listener.inode), command, uid, groups };
    const onSocket = holdersOf({ ...left, ...leftNames(runtime) }, look);
    const members = groups.flatMap((id) => membersOf(id, look));
    // A leader may be seen, and the workers that it runs as another user not.
    const unseen = members.filter(({ pid }) => socketsOf(pid) === null);
    const found = onSocket.length > 0 ? [...onSocket, ...unseen] : members;
    return found.filter((stat) => !own.has(stat.group) && isNamed(stat, command));
  }

  /** Which of them only fork the others. A php-fpm's master is one without workers, too: asked to leave, it would remove the socket's file. */
  leadersOf(found: readonly ProcessStat[]): readonly ProcessStat[] {
    const { runtime, groups } = this.context;
    const parents = new Set(found.map(({ parent }) => parent));
    const masters = new Set(runtime.forks === "always" ? groups.map(({ pid }) => pid) : []);
    return found.filter(({ pid }) => parents.has(pid) || masters.has(pid));
  }

  /** Those that `look` finds leave. Resolves when none of them is left. */
  async leave(look: SocketHolders, own: ReadonlySet<number>, hurry: AbortSignal): Promise<void> {
    const { pool, emit } = this.context;
    this.leaving = this.find(look, own);
    const life = new Life("serving", {
      living: () => this.living().map(({ pid }) => pid),
      signal: (name) => this.signal(name),
      ask: (goesOn) => this.ask(goesOn),
      drainTimeoutMs: pool.drainTimeoutMs,
      tell: { pool: pool.name, emit },
    });
    const stop = () => life.dispatch("stop");
    hurry.addEventListener("abort", stop, { once: true });
    life.dispatch(hurry.aborted ? "stop" : "drain");
    await life.gone;
    hurry.removeEventListener("abort", stop);
  }

  /** Tells that so many have left. */
  tellGone(workers: number, ms: number): void {
    const { pool, emit } = this.context;
    emit({ type: "left-over-workers-gone", pool: pool.name, workers, ms });
  }

  private ask(goesOn: () => boolean): Promise<void> {
    const { pool, runtime, scoreboard } = this.context;
    return stopGracefully({ pool, runtime, workers: this, scoreboard, goesOn });
  }

  private signal(name: Signal): void {
    for (const { pid } of this.living()) sendSignal(pid, name);
  }

  private living(): readonly ProcessStat[] {
    return this.present().workers;
  }
}

/**
 * Lets the workers on these sockets finish what they do and leave, within drain_timeout; then, or at
 * once when `hurry` aborts, TERM, and KILL. Resolves when none is left. `own`: process groups that are
 * ours. /proc is read once for all.
 */
export async function drainLeftOver(
  sockets: readonly LeftOverWorkers[],
  own: ReadonlySet<number>,
  hurry: AbortSignal,
): Promise<void> {
  const since = now();
  const look = new SocketHolders();
  const found = sockets.map((workers) => workers.find(look, own));
  sockets.forEach((workers, i) => endLeaders(workers.leadersOf(found[i]!)));
  // What a leader forked before it went.
  const again = new SocketHolders();
  await Promise.all(
    sockets.map(async (workers, i) => {
      const { length } = found[i]!;
      if (length === 0) return;
      await workers.leave(again, own, hurry);
      workers.tellGone(length, now() - since);
    }),
  );
}

/** Of a program that has the socket elsewhere than on its standard input, only the name tells. */
export function leftNames({ socketFd, matches }: Runtime): Pick<LeftSocket, "mayBeNamed"> {
  return socketFd === 0 ? {} : { mayBeNamed: matches };
}

function isNamed(stat: ProcessStat, command: LeftOverContext["command"]): boolean {
  return command === null || command === ANYBODY.command || stat.command === command;
}

/** A number may mean another process by now; what is older than the group began is none of it. */
function membersOf({ pid, startTime }: ProcessId, look: SocketHolders): readonly ProcessStat[] {
  return look.inGroup(pid).filter((stat) => stat.startTime >= startTime);
}

/** A leader only waits and refills; its workers go on when it is gone. */
function endLeaders(leaders: readonly ProcessStat[]): void {
  for (const { pid } of leaders) {
    takeOutOfUnit(pid);
    sendSignal(pid, "SIGKILL");
  }
}

/** systemd ends what is left in a service when its main process is gone: the workers leave it before that. */
function takeOutOfUnit(leader: number): void {
  const unit = unitOf(leader);
  if (unit === null || unit === unitOf(process.pid)) return;
  // It forks nobody between the look and its end.
  sendSignal(leader, "SIGSTOP");
  for (const { pid } of processesWhere(({ parent }) => parent === leader)) joinOwnGroup(pid);
}
