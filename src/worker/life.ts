// The life of a set of processes that can be signalled and counted: the one door for changes of its
// state, and what goes up the one ladder from graceful to KILL. What the states are, and which follows
// which, the table in lifecycle.ts says; what else a change means, the owner of the processes.

import type { Emit } from "../event.ts";
import { Fault } from "../fault.ts";
import { after, now, yieldToEvents } from "../sys/clock.ts";
import type { Signal } from "../sys/process.ts";
import { processStat, waitChannel } from "../sys/proc/procfs.ts";
import { untilNextLook } from "./pace.ts";
import {
  type GroupAction,
  type GroupEvent,
  type GroupState,
  LADDER,
  type Rung,
  transition,
} from "./lifecycle.ts";

export interface Processes {
  /** Those that are still there. */
  readonly living: () => readonly number[];
  /** Sends it to all of them. */
  readonly signal: (name: Signal) => void;
  /** What they get for a TERM; TERM unless given. */
  readonly terminate?: Signal;
  /** Asks each to leave when that hurts no request, as long as `goesOn` says so. */
  readonly ask: (goesOn: () => boolean) => void | Promise<void>;
  readonly drainTimeoutMs: number;
  /** To whom it is told what does not leave; null = to nobody. */
  readonly tell: { readonly pool: string; readonly emit: Emit } | null;
}

/** What the owner does when something happens. */
export interface Hooks {
  /** The state is another one already; what the table says is done to the processes comes after this. */
  readonly onChange?: (event: GroupEvent, before: GroupState) => void;
  /**
   * After the signal, and those that others get at the same moment, have gone out. `wereThere`: who was there before
   * it, as last seen; null: nobody had looked.
   */
  readonly onSignal?: (name: "SIGTERM" | "SIGKILL", wereThere: readonly number[] | null) => void;
  /** Not even KILL has ended these. */
  readonly onStuck?: (pids: readonly number[]) => void;
  readonly onGone?: () => void;
}

/** Between two looks whether they are gone; longer and longer where they may take their time. */
const POLL_MS = 5;
const POLL_MOST_MS = 50;

export class Life {
  /** Resolves when none of the processes is left, or can be made to leave. */
  readonly gone: Promise<void>;
  private readonly processes: Processes;
  private readonly hooks: Hooks;
  private readonly resolveGone: () => void;
  private current: GroupState;
  /** Since when it has been asked to leave, and whether a stop has ended the patience with it. */
  private drain: { readonly since: number; readonly hurried: boolean } | null = null;
  private deadline: number | null = null;
  private cancelDeadline: () => void = () => {};
  private watching = false;
  private isTroubled = false;
  /** Who was there at the last look; null: there was none. */
  private lastSeen: readonly number[] | null = null;
  /** Resolves when what the signals have met is told and counted. */
  private counted: Promise<void> = Promise.resolve();

  constructor(state: "starting" | "serving", processes: Processes, hooks: Hooks = {}) {
    this.current = state;
    this.processes = processes;
    this.hooks = hooks;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone = promise;
    this.resolveGone = resolve;
  }

  get state(): GroupState {
    return this.current;
  }
  /** How long it has been draining, and how long it still may; null when it is not. */
  get draining(): { readonly ageMs: number; readonly leftMs: number } | null {
    if (this.drain === null || this.current === "gone") return null;
    const leftMs = this.deadline === null ? 0 : Math.max(0, this.deadline - now());
    return { ageMs: now() - this.drain.since, leftMs };
  }

  dispatch(event: GroupEvent): void {
    const row = transition(this.current, event);
    if (row === null) return;
    const before = this.current;
    this.cancelDeadline();
    this.deadline = null;
    if (event === "stop" && this.drain !== null) this.drain = { ...this.drain, hurried: true };
    this.current = row[0];
    this.hooks.onChange?.(event, before);
    this.act(row[1]);
  }

  private act(action: GroupAction): void {
    switch (action) {
      case "nothing":
        break;
      case "ask":
        this.ask();
        break;
      case "terminate":
      case "kill":
        this.escalate(action === "terminate" ? "terminating" : "killing");
        break;
      case "give-up":
        this.giveUp();
        break;
      case "finish":
        this.finish();
    }
    if (this.current !== "starting" && this.current !== "serving") void this.watchEnd();
  }

  private ask(): void {
    this.drain = { since: now(), hurried: false };
    this.setDeadline("draining");
    const asked = async () => this.processes.ask(() => this.current === "draining");
    // Who is not asked is late at the deadline.
    asked().catch((error: unknown) => this.tellTrouble(error));
  }

  /** First the signal: whatever goes wrong with what is told and counted, it has gone out, and KILL comes after it. */
  private escalate(rung: "terminating" | "killing"): void {
    const name = LADDER[rung].signal!;
    const sent = rung === "terminating" ? (this.processes.terminate ?? name) : name;
    const wereThere = this.lastSeen;
    this.processes.signal(name);
    // A stopped process takes no TERM before it goes on.
    this.processes.signal("SIGCONT");
    this.setDeadline(rung);
    const before = this.counted;
    this.counted = yieldToEvents().then(async () => {
      await before;
      this.attempt(() => this.tellLate(sent, wereThere ?? []), undefined);
      this.attempt(() => this.hooks.onSignal?.(name, wereThere), undefined);
    });
  }

  /** Who is stopped was not late. */
  private tellLate(name: Signal, pids: readonly number[]): void {
    const { tell } = this.processes;
    if (tell === null || this.drain === null || this.drain.hurried) return;
    const afterMs = now() - this.drain.since;
    for (const pid of pids)
      tell.emit({ type: "drain-escalated", pool: tell.pool, pid, signal: name, afterMs });
  }

  /** They are named, with where they wait, and left to the kernel. */
  private giveUp(): void {
    const { tell } = this.processes;
    const pids = this.attempt(() => this.processes.living(), []);
    this.hooks.onStuck?.(pids);
    for (const pid of pids) {
      const state = processStat(pid)?.state ?? "?";
      const where = waitChannel(pid);
      tell?.emit({ type: "worker-stuck", pool: tell.pool, pid, state, where });
    }
    this.finish();
  }

  private finish(): void {
    void this.counted.then(() => {
      this.attempt(() => this.hooks.onGone?.(), undefined);
      this.resolveGone();
    });
  }

  /** Looks at the processes; what a look throws is told, and stops nothing. */
  private attempt<T>(look: () => T, otherwise: T): T {
    try {
      return look();
    } catch (error) {
      this.tellTrouble(error);
      return otherwise;
    }
  }

  /** Once: the next look may throw the same. */
  private tellTrouble(error: unknown): void {
    const { tell } = this.processes;
    if (tell === null || this.isTroubled) return;
    this.isTroubled = true;
    const fault = new Fault(
      "a look at workers that are to leave failed; they are ended all the same",
      {
        where: `pool ${tell.pool}`,
        cause: error,
      },
    );
    tell.emit({ type: "trouble", fault: fault.toJSON() });
  }

  private setDeadline(rung: Rung): void {
    const ms = LADDER[rung].ms ?? this.processes.drainTimeoutMs;
    this.deadline = now() + ms;
    this.cancelDeadline = after(ms, () => this.dispatch("deadline"));
  }

  private async watchEnd(): Promise<void> {
    if (this.watching) return;
    this.watching = true;
    for (let pause = POLL_MS; this.current !== "gone";) {
      const left = this.attempt(() => this.processes.living(), null);
      this.lastSeen = left ?? this.lastSeen;
      if (left?.length === 0) return this.dispatch("all-ended");
      // Somebody may have been forked since.
      if (this.current === "killing") this.processes.signal("SIGKILL");
      const escalated = this.current === "terminating" || this.current === "killing";
      pause = escalated ? POLL_MS : Math.min(pause * 1.2, POLL_MOST_MS);
      await untilNextLook(pause);
    }
  }
}
