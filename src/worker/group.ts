// A Group owns one spawned process and the workers it provides: itself, or the children it forks.
// It becomes ready, can be seen, and leaves (politely with a deadline, then harder); whether it
// should be there at all is the pool's business.

import type { PoolConfig } from "../config/model.ts";
import type { Emit, EndReason, OutputLine, ProcessEnd } from "../event.ts";
import type { Fault } from "../fault.ts";
import type { Listening } from "../observe/activity.ts";
import type { WorkerView } from "../observe/sample.ts";
import type { Scoreboard } from "../observe/scoreboard.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { after, now, sleep } from "../sys/clock.ts";
import { signal, signalGroup, spawn } from "../sys/process.ts";
import type { ProcessId } from "../sys/procfs.ts";
import { endReason } from "./exit.ts";
import { stopGracefully } from "./graceful-stop.ts";
import { type GroupShape, launchOf } from "./launch.ts";
import { type GroupAction, type GroupEvent, type GroupState, transition } from "./lifecycle.ts";
import { Members } from "./members.ts";
import { hasReachedAccept } from "./readiness.ts";
import { spawnFault, startFault } from "./start-fault.ts";
import { stuckEvent } from "./stuck.ts";
import { GroupToll } from "./toll.ts";
import { openVoice, type Voice } from "./voice.ts";

/** What a group needs of the world around it. */
export interface GroupContext {
  readonly pool: PoolConfig;
  readonly runtime: Runtime;
  readonly generation: number;
  /** Where its workers accept. */
  readonly listener: { readonly fd: number } & Listening;
  readonly scoreboard: Scoreboard;
  readonly emit: Emit;
  readonly output: (line: OutputLine) => void;
  /** It was serving and its process ended unasked; workers of it may still serve ("orphaned"). */
  readonly onLost: (group: Group) => void;
}

/** How the spawned process ended, and what that meant. */
export interface GroupEnd {
  readonly end: ProcessEnd;
  readonly reason: EndReason;
}

const READY_POLL_MS = 2;
const END_POLL_MS = 5;
/** Between TERM and KILL, as php-fpm has it. */
const TERM_GRACE_MS = 1000;
/** A process that has not died so long after KILL waits for something in the kernel. */
const KILL_GRACE_MS = 5000;

export class Group {
  readonly context: GroupContext;
  readonly shape: GroupShape;
  readonly leader: ProcessId;
  readonly members: Members;
  readonly startedAt = now();
  /** Resolves when every worker has reached accept(2); rejects with a Fault when that fails. */
  readonly ready: Promise<void>;
  /** Resolves when no worker of the group is left. */
  readonly gone: Promise<void>;

  private current: GroupState = "starting";
  private readiness: "seen" | "inferred" | null = null;
  private drainSince: number | null = null;
  private deadline: number | null = null;
  private leaderEnd: GroupEnd | null = null;
  private watchingEnd = false;
  private timedOut = false;
  private cancelDeadline: () => void = () => {};
  private readonly voice: Voice;
  /** What its end costs. */
  readonly toll: GroupToll;
  private readonly settle: { ready: () => void; failed: (fault: Fault) => void; gone: () => void };

  /** Spawns the process. Throws a Fault when the system cannot start it. */
  constructor(context: GroupContext, shape: GroupShape) {
    this.context = context;
    this.shape = shape;
    this.toll = new GroupToll(this.forks);
    const ready = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    this.ready = ready.promise;
    // Who is interested awaits it; nobody has to.
    this.ready.catch(() => {});
    this.gone = gone.promise;
    this.settle = { ready: ready.resolve, failed: ready.reject, gone: gone.resolve };
    this.voice = openVoice(context.pool, context.output);
    this.leader = this.spawn();
    this.members = new Members({
      leader: this.leader,
      forks: this.forks,
      leaderLives: () => this.leaderEnd === null,
      listener: context.listener,
      requestOf: context.runtime.requestOf,
    });
    const { pool, generation, emit } = context;
    const { pid } = this.leader;
    emit({ type: "group-started", pool: pool.name, pid, generation, workers: shape.size });
    void this.watchStart();
  }

  get state(): GroupState {
    return this.current;
  }
  /** Workers it provides. */
  get size(): number {
    return this.shape.size;
  }
  get uptimeMs(): number {
    return now() - this.startedAt;
  }
  /**
   * Whether it reached accept(2): seen to, or inferred from an end that comes only after serving;
   * null = not yet.
   */
  get wasReady(): "seen" | "inferred" | null {
    return this.readiness;
  }
  /** How the spawned process ended; null while it lives. */
  get ended(): GroupEnd | null {
    return this.leaderEnd;
  }
  /** How long it has been draining, and how long it still may; null when it is not. */
  get draining(): { readonly ageMs: number; readonly leftMs: number } | null {
    if (this.drainSince === null || this.current === "gone") return null;
    const leftMs = this.deadline === null ? 0 : Math.max(0, this.deadline - now());
    return { ageMs: now() - this.drainSince, leftMs };
  }
  /** The last lines its workers wrote. */
  get lastWords(): string[] {
    return this.voice.lastWords();
  }

  /** Ends one of its workers whose request takes too long; a polite signal would let it go on. */
  endRequest(pid: number): void {
    this.timedOut ||= pid === this.leader.pid;
    signal(pid, "SIGKILL");
  }

  /** Every process of it that lives: its leader and its workers, or the only one. */
  get pids(): number[] {
    const leader = this.leaderEnd === null ? [this.leader.pid] : [];
    return [...new Set([...leader, ...this.members.workers().map(({ pid }) => pid)])];
  }

  /** Whether its process forks the workers, instead of being the worker. */
  private get forks(): boolean {
    return this.shape.size > 1;
  }

  /** Lets it finish what is in hand, within the pool's drain_timeout; then TERM, then KILL. */
  drain(): Promise<void> {
    this.dispatch("drain");
    return this.gone;
  }

  /** TERM at once, KILL a second later. */
  stop(): Promise<void> {
    this.dispatch("stop");
    return this.gone;
  }

  // ---------------------------------------------------------------- starting

  private spawn(): ProcessId {
    const { pool, runtime, listener } = this.context;
    const output = this.voice.channel.workerEnd;
    try {
      const launch = launchOf(pool, runtime, this.shape);
      const id = spawn({ ...launch, stdin: listener.fd, output }, (end) => this.onLeaderEnd(end));
      this.voice.channel.closeWorkerEnd();
      return id;
    } catch (error) {
      this.voice.channel.close();
      throw spawnFault(pool, error);
    }
  }

  private async watchStart(): Promise<void> {
    const { pool, scoreboard } = this.context;
    while (this.current === "starting") {
      const sample = scoreboard.now();
      const workers = sample.workers(this.members);
      const isReady = (worker: WorkerView) =>
        hasReachedAccept(worker, this.members, sample, this.forks);
      if (workers.length >= this.shape.size && workers.every(isReady)) {
        return this.dispatch("ready");
      }
      if (this.uptimeMs > pool.startTimeoutMs) return this.dispatch("start-timeout");
      await sleep(READY_POLL_MS);
    }
  }

  // ---------------------------------------------------------------- one door for changes of state

  private dispatch(event: GroupEvent): void {
    const row = transition(this.current, event);
    if (row === null) return;
    const before = this.current;
    this.cancelDeadline();
    this.deadline = null;
    this.current = row[0];
    if (event === "ready") this.onReady();
    else if (before === "starting") this.settle.failed(startFault(event, this));
    this.act(row[1]);
  }

  private act(action: GroupAction): void {
    switch (action) {
      case "nothing":
        return;
      case "ask-politely":
        return this.askPolitely();
      case "terminate":
        return this.escalate("SIGTERM");
      case "kill":
        return this.escalate("SIGKILL");
      case "give-up":
        this.tellStuck();
        return this.act("finish");
      case "finish":
        this.voice.channel.drain();
        this.voice.channel.close();
        return this.settle.gone();
    }
  }

  private onReady(): void {
    this.readiness = this.leaderEnd === null ? "seen" : "inferred";
    const { pool, emit } = this.context;
    emit({ type: "group-ready", pool: pool.name, pid: this.leader.pid, ms: this.uptimeMs });
    this.settle.ready();
  }

  private setDeadline(ms: number): void {
    this.deadline = now() + ms;
    this.cancelDeadline = after(ms, () => this.dispatch("deadline"));
  }

  // ---------------------------------------------------------------- leaving

  /** The leader goes first, or it would refill what leaves; it only waits, and KILL spares its workers. */
  private askPolitely(): void {
    const { pool, runtime, scoreboard } = this.context;
    this.setDeadline(pool.drainTimeoutMs);
    this.drainSince = now();
    if (this.forks && this.leaderEnd === null) signal(this.leader.pid, "SIGKILL");
    const goesOn = () => this.current === "draining";
    void stopGracefully({ pool, runtime, workers: this.members, scoreboard, goesOn });
    void this.watchEnd();
  }

  private escalate(name: "SIGTERM" | "SIGKILL"): void {
    const { emit, pool, scoreboard } = this.context;
    const sample = scoreboard.now();
    const { workers } = sample.present(this.members);
    this.toll.signalled(name, sample.inFlight(this.members));
    if (this.drainSince !== null) {
      const afterMs = now() - this.drainSince;
      for (const { pid } of workers) {
        emit({ type: "drain-escalated", pool: pool.name, pid, signal: name, afterMs });
      }
    }
    this.setDeadline(name === "SIGTERM" ? TERM_GRACE_MS : KILL_GRACE_MS);
    signalGroup(this.leader.pid, name);
    // A stopped process takes no TERM before it goes on.
    signalGroup(this.leader.pid, "SIGCONT");
    void this.watchEnd();
  }

  private tellStuck(): void {
    const { emit, pool } = this.context;
    const pids = this.pids;
    this.toll.stuck = pids.map((pid) => ({ pool: pool.name, pid }));
    for (const pid of pids) emit(stuckEvent(pool.name, pid));
  }

  private onLeaderEnd(end: ProcessEnd): void {
    const { pool, runtime, emit } = this.context;
    const state = this.current;
    const recycles = runtime.recyclesItself && pool.maxRequests > 0;
    const reason = endReason({
      end,
      state,
      wasReady: this.wasReady !== null,
      timedOut: this.timedOut,
      recycles,
    });
    this.leaderEnd = { end, reason };
    this.toll.leaderEnded(end);
    this.voice.channel.drain();
    if (reason === "recycled") this.dispatch("ready");
    const { pid } = this.leader;
    emit({
      type: "group-ended",
      pool: pool.name,
      pid,
      workers: this.shape.size,
      end,
      reason,
      uptimeMs: this.uptimeMs,
    });
    const left = this.members.workers().map((worker) => worker.pid);
    if (left.length > 0 && state === "serving") {
      emit({ type: "orphans-left", pool: pool.name, leader: pid, pids: left });
    }
    this.dispatch(left.length > 0 ? "leader-ended" : "all-ended");
    void this.watchEnd();
    if (state === "serving" || reason === "recycled") this.context.onLost(this);
  }

  /** The end of a leader is told by its spawn; its orphans are ours to watch. */
  private async watchEnd(): Promise<void> {
    if (this.watchingEnd) return;
    this.watchingEnd = true;
    while (this.current !== "gone") {
      if (this.leaderEnd !== null && this.members.workers().length === 0)
        this.dispatch("all-ended");
      await sleep(END_POLL_MS);
    }
  }
}
