// The story of a start after a supervisor has died: its workers went on serving. Their sockets are
// taken back out of them, new generations come up on the very same sockets, and then the old workers
// are asked to leave. No client notices. `takeOver` is the story, read top to bottom.

import type { PoolConfig } from "../../config/model.ts";
import { asFault } from "../../fault.ts";
import { Listener } from "../../socket/listener.ts";
import { addressText } from "../../sys/socket/address.ts";
import { now } from "../../sys/clock.ts";
import { SocketHolders } from "../../sys/proc/proc-sockets.ts";
import { drainLeftOver } from "../../worker/left-over-workers.ts";
import type { RecoveryContext } from "../supervisor-state.ts";
import { keptSocket, LeftOver, ownGroups } from "./left-over.ts";
import type { Found } from "./left-over-records.ts";
import type { OtherMaster } from "./other-master.ts";
import type { PoolRecord } from "./state-file.ts";

type RecoveryState =
  /** Copies of the sockets are held, and nothing else was touched: the old workers serve. */
  | "holding"
  /** The new generations serve, the old workers leave. */
  | "retiring"
  /** The old workers have left. */
  | "over"
  /** The start failed: everything is left to the old workers. */
  | "abandoned"
  /** The whole service ends, the old workers with it. */
  | "ending";

const NEXT: Readonly<Record<RecoveryState, readonly RecoveryState[]>> = {
  holding: ["retiring", "abandoned", "ending"],
  retiring: ["over"],
  over: [],
  abandoned: ["ending"],
  ending: ["over"],
};

/** Opens a pool's socket: the one that was left, where there is one. */
export type OpenSocket = (pool: PoolConfig) => Promise<Listener>;

export class Recovery {
  private readonly context: RecoveryContext;
  private readonly handed: Readonly<Record<string, number>>;
  private readonly masters: Found["masters"];
  private readonly leftOvers: readonly LeftOver[];
  /** Those whose socket no pool has asked for. */
  private readonly unused: Set<LeftOver>;
  private readonly opened = new Map<Listener, "kept" | "new">();
  private readonly reopenedAddresses: string[] = [];
  private readonly impatience = new AbortController();
  private state: RecoveryState = "holding";
  private retirement: Promise<void> = Promise.resolve();

  /**
   * Looks for what the earlier supervisor left. Takes copies of sockets, and touches nothing else.
   * `handed`: sockets by inode, from the program that became this one.
   */
  constructor(
    context: RecoveryContext,
    { records, masters }: Found,
    handed: Readonly<Record<string, number>>,
  ) {
    this.context = context;
    this.masters = masters;
    this.handed = handed;
    const look = new SocketHolders();
    this.leftOvers = records
      .map((record) => LeftOver.find(context, record, handed[record.inode], look))
      .filter((left) => left !== null);
    this.unused = new Set(this.leftOvers);
  }

  /** How many processes of the earlier supervisor still served when they were looked for. */
  get workers(): number {
    return this.leftOvers.reduce((sum, { workers }) => sum + workers, 0);
  }
  /** Of the sockets they serve on. */
  get records(): readonly PoolRecord[] {
    return this.leftOvers.map(({ record }) => record);
  }
  /** Addresses whose socket could not be taken back, and was opened again. */
  get reopened(): readonly string[] {
    return this.reopenedAddresses;
  }
  /** Masters of another program whose sockets were taken over, each once. */
  get from(): readonly OtherMaster[] {
    return [
      ...new Map([...this.masters.values()].map((each) => [each.process.pid, each])).values(),
    ];
  }
  /** Resolves when the old workers have left, after a start that succeeded. */
  get retired(): Promise<void> {
    return this.retirement;
  }

  /**
   * Starts the service on what was left. `start` brings up every pool on the sockets that it opens, and
   * rejects when it could not; `endsBy` tells whether stop or quit came meanwhile.
   */
  async takeOver<T>(
    start: (open: OpenSocket) => Promise<T>,
    endsBy: () => "stop" | "quit" | null,
  ): Promise<T> {
    let started: T;
    try {
      started = await start((pool) => this.open(pool));
    } catch (error) {
      this.abandon();
      const word = endsBy();
      if (word !== null) await this.end(word);
      throw error;
    }
    this.retirement = this.retire();
    return started;
  }

  /** Ends the patience with the old workers, for a stop. */
  hurry(): void {
    this.impatience.abort();
  }

  /** Leaves everything to the old workers: what was taken back is let go of, what was opened is closed. */
  abandon(): void {
    this.become("abandoned");
    const taken = new Set([...this.context.pools.values()].map(({ listener }) => listener));
    for (const [listener, origin] of this.opened) {
      // A pool that came up all the same has its socket until it ends.
      if (taken.has(listener)) continue;
      if (origin === "kept") listener.abandon();
      else listener.close();
    }
    for (const left of this.unused) left.closeCopy();
  }

  /** Ends the old workers; with stop at once, with quit each after its request. */
  async end(word: "stop" | "quit"): Promise<void> {
    this.become("ending");
    if (word === "stop") this.hurry();
    await this.drain(this.leftOvers);
    await drainLeftOver(
      this.leftOvers.map(({ holders }) => holders),
      ownGroups(this.context),
      AbortSignal.abort(),
    );
    for (const left of this.leftOvers) left.end();
    this.become("over");
  }

  private async open(pool: PoolConfig): Promise<Listener> {
    const left = this.leftOvers.find((each) => each.isOn(pool.listen.address));
    const kept = keptSocket(this.context, pool, left);
    if (left !== undefined) this.unused.delete(left);
    const listener = kept ?? (await this.openNew(pool, left));
    this.opened.set(listener, kept === null ? "new" : "kept");
    if (kept !== null && left !== undefined) this.tellKept(pool, left);
    return listener;
  }

  private tellKept({ name, listen }: PoolConfig, { record, workers }: LeftOver): void {
    const master = this.masters.get(record.inode);
    if (master !== undefined) {
      const { process, runtime, unit } = master;
      const from = { program: runtime.name, pid: process.pid, unit };
      const what = { pool: name, address: addressText(listen.address), workers };
      return this.context.emit({ type: "taken-over", ...what, ...from });
    }
    const after = record.inode in this.handed ? "upgrade" : "death";
    const address = addressText(listen.address);
    this.context.emit({ type: "recovered", after, pool: name, address, workers });
  }

  private async openNew(pool: PoolConfig, left: LeftOver | undefined): Promise<Listener> {
    if (left === undefined || !("why" in left.copy)) return Listener.open(pool);
    const since = now();
    const { why, blocks } = left.copy;
    // Where they are not in the way, they leave when the new ones serve, as others do.
    if (blocks) await this.drain([left]);
    const listener = Listener.open(pool);
    this.reopenedAddresses.push(listener.name);
    this.context.emit({
      type: "recovered-with-gap",
      pool: pool.name,
      address: listener.name,
      workers: left.workers,
      why,
      gapMs: now() - since,
    });
    return listener;
  }

  /** Lets the old workers leave, now that the new generations serve. Never rejects. */
  private async retire(): Promise<void> {
    this.become("retiring");
    try {
      await this.drain(this.leftOvers);
      const inUse = [...this.opened.keys()].map(({ address }) => address);
      for (const left of this.unused) left.closeUnused(inUse);
    } catch (error) {
      this.context.emit({ type: "trouble", fault: asFault(error).toJSON() });
    }
    this.become("over");
  }

  private drain(leftOvers: readonly LeftOver[]): Promise<void> {
    const { signal } = this.impatience;
    return drainLeftOver(
      leftOvers.map(({ serving }) => serving),
      ownGroups(this.context),
      signal,
    );
  }

  private become(next: RecoveryState): void {
    if (!NEXT[this.state].includes(next))
      throw new Error(`a recovery that is ${this.state} cannot be ${next}`);
    this.state = next;
  }
}
