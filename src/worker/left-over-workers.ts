// Workers that an earlier supervisor left: not our children, known only by the socket they accept
// from. They are asked to leave as our own would be, and watched through /proc.

import type { PoolConfig } from "../config/model.ts";
import type { Emit } from "../event.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Address } from "../sys/address.ts";
import { now } from "../sys/clock.ts";
import { sendSignal, type Signal } from "../sys/process.ts";
import {
  type ProcessId,
  processesOn,
  processGroup,
  type ProcessStat,
  processStat,
} from "../sys/procfs.ts";
import { stopGracefully } from "./graceful-stop.ts";
import { Life } from "./life.ts";

export interface LeftOverContext {
  readonly pool: Pick<PoolConfig, "name" | "stopSignal" | "drainTimeoutMs">;
  readonly runtime: Runtime;
  readonly address: Address;
  /** Of the listening socket. */
  readonly inode: string;
  /** Name of the program, as /proc tells it; null = unknown. What scripts started has another one. */
  readonly command: string | null;
  /** Process groups they were started as, for where nobody lets us see who holds the socket. */
  readonly groups: readonly ProcessId[];
  /** Process groups that are our own. */
  readonly own: () => ReadonlySet<number>;
  readonly emit: Emit;
}

export class LeftOverWorkers {
  private readonly context: LeftOverContext;
  /** Those that are to leave. */
  private leaving: readonly ProcessStat[] = [];

  constructor(context: LeftOverContext) {
    this.context = context;
  }

  /** Who serves on the socket, but for our own and for what scripts started. */
  find(): readonly ProcessStat[] {
    const { inode, command, groups, own } = this.context;
    const ours = own();
    const onSocket = processesOn(inode);
    const found = onSocket.length > 0 ? onSocket : groups.flatMap(membersNow);
    return found.filter(
      (stat) => !ours.has(stat.group) && (command === null || stat.command === command),
    );
  }

  /**
   * Lets them finish what they do and leave, within drain_timeout; then, or at once when `hurry`
   * aborts, TERM, and KILL. Resolves when none is left.
   */
  async drain(hurry: AbortSignal): Promise<void> {
    const { pool, emit } = this.context;
    const since = now();
    const found = this.find();
    if (found.length === 0) return;
    endLeaders(found);
    // What a leader forked before it went.
    this.leaving = this.find();
    await this.leave(hurry);
    const ms = now() - since;
    emit({ type: "left-over-workers-gone", pool: pool.name, workers: found.length, ms });
  }

  private async leave(hurry: AbortSignal): Promise<void> {
    const { pool, emit } = this.context;
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

  private ask(goesOn: () => boolean): void {
    const { pool, runtime, address } = this.context;
    const members = { workers: () => this.living() };
    void stopGracefully({ pool, runtime, address, members, goesOn });
  }

  private signal(name: Signal): void {
    for (const { pid } of this.living()) sendSignal(pid, name);
  }

  private living(): ProcessStat[] {
    return this.leaving.filter(isStill);
  }
}

/** A number may mean another process by now; what is older than the group began is none of it. */
function membersNow({ pid, startTime }: ProcessId): readonly ProcessStat[] {
  return processGroup(pid, true).filter(
    (stat) => stat.startTime >= startTime && stat.state !== "Z",
  );
}

/** A leader only waits and refills; its workers go on when it is gone. */
function endLeaders(found: readonly ProcessStat[]): void {
  const parents = new Set(found.map(({ parent }) => parent));
  for (const { pid } of found) if (parents.has(pid)) sendSignal(pid, "SIGKILL");
}

function isStill({ pid, startTime }: ProcessStat): boolean {
  const now = processStat(pid);
  return now !== null && now.startTime === startTime && now.state !== "Z";
}
