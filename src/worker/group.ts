// A Group owns one spawned process and the workers it provides: itself, or the children it forks.
// It becomes ready, can be seen, and leaves when it is told to; whether it should be there at all is
// the pool's business.

import type { PoolConfig } from "../config/model.ts";
import type { Emit, EndReason, OutputLine, ProcessEnd } from "../event.ts";
import type { Fault } from "../fault.ts";
import type { Activity, Listening } from "../observe/activity.ts";
import type { Sample, WorkerView } from "../observe/sample.ts";
import type { Scoreboard } from "../observe/scoreboard.ts";
import { forksFor } from "../runtime/registry.ts";
import type { OutputNews, Runtime } from "../runtime/runtime.ts";
import { now, sleep } from "../sys/clock.ts";
import { type Signal, sendSignal, signalGroup, spawn } from "../sys/process.ts";
import { socketAt } from "../sys/proc/proc-sockets.ts";
import { type ProcessId, processesWhere, stillThere } from "../sys/proc/procfs.ts";
import { endReason } from "./exit.ts";
import { signalIfIdle, stopGracefully } from "./graceful-stop.ts";
import { type GroupSettings, type GroupShape, launchOf, settingsOf } from "./launch.ts";
import { Life } from "./life.ts";
import type { GroupEvent, GroupState } from "./lifecycle.ts";
import { InFlight } from "./in-flight.ts";
import { GroupLosses } from "./losses.ts";
import type { Guardian } from "./guardian.ts";
import { Members } from "./members.ts";
import { holdStill } from "./hold-still.ts";
import { WorkerOutput } from "./output.ts";
import { ParkedWorkers } from "./parked-workers.ts";
import { hasReachedAccept } from "./readiness.ts";
import { removeSettings, writeSettings } from "./settings-file.ts";
import { spawnFault, startFault } from "./start-fault.ts";

/** What a group needs to run. */
export interface GroupContext {
  readonly pool: PoolConfig;
  readonly runtime: Runtime;
  readonly generation: number;
  /** Where its workers accept. */
  readonly listener: Listening & {
    readonly fd: number;
    /** Connections that wait; null where the kernel does not tell. */
    readonly queue: () => { readonly length: number } | null;
  };
  readonly scoreboard: Scoreboard;
  /** Where settings files are written. */
  readonly stateDir: string;
  readonly guardian: Guardian;
  readonly emit: Emit;
  readonly output: (line: OutputLine) => void;
  /** It was serving, and its leader forks workers that end before they can serve. */
  readonly onForkStorm: (group: Group) => void;
  /** It was serving and its process ended unasked; workers of it may still serve ("orphaned"). */
  readonly onLost: (group: Group) => void;
}

/** How the spawned process ended, and what that meant. */
export interface GroupEnd {
  readonly end: ProcessEnd;
  readonly reason: EndReason;
}

/** A leader would go on forking for ever. */
const FAILED_WORKERS_MOST = 10;
/** A leader reopens its logs when it gets its CPU next. */
const REOPEN_MOST_MS = 5000;
const READY_POLL_MS = 2;
const READY_POLL_MOST_MS = 20;
/** Who is looked at so seldom is told ready by no more than an eighth later than it is. */
const READY_POLL_SHARE = 1 / 8;

/** The listener's inode may change. */
function withOutput(listener: Listening, output: string): Listening {
  return {
    get inode() {
      return listener.inode;
    },
    address: listener.address,
    output,
  };
}

/** A signal in the tiny window before accept(2) is lost. */
const ASK_AGAIN_MS = 2000;
/** How long one that was asked to leave is known as such when it is gone. */
const REMEMBERED_MS = 60_000;

function isAccepting(activity: Activity): boolean {
  return activity.doing === "busy" || (activity.doing === "idle" && activity.inAccept);
}

export class Group {
  readonly context: GroupContext;
  readonly shape: GroupShape;
  /** Whether its process forks the workers, instead of being the worker. */
  readonly forks: boolean;
  readonly leader: ProcessId;
  readonly members: Members;
  /** Those of its workers that are stopped because they are not needed now. */
  readonly parked: ParkedWorkers;
  readonly startedAt = now();
  /** Those that were there when it was ready. */
  firstWorkers: readonly number[] = [];
  /** Connections that were seen to wait while it started. */
  waiting = 0;
  /** Resolves when every worker has reached accept(2); rejects with a Fault when that fails. */
  readonly ready: Promise<void>;
  /** What its end costs. */
  readonly losses: GroupLosses;

  private readonly life: Life;
  private readonly inFlight = new InFlight();
  private readonly output: WorkerOutput;
  private readonly settle: { ready: () => void; failed: (fault: Fault) => void };
  /** Seen in accept(2), or with a connection from there, when it was ready. */
  private wasAccepting = false;
  private readiness: "seen" | "inferred" | null = null;
  private leaderEnd: GroupEnd | null = null;
  /** Workers that were asked to leave one by one, and when. */
  private readonly asked = new Map<ProcessId, number>();
  private timedOut = false;
  /** Workers that are ended because their request takes too long. */
  private readonly endedOnPurpose = new Set<number>();
  /** In a row, workers that ended before they could serve. */
  private failedWorkers = 0;
  /** Somebody told the leader to end. */
  private wasSignalled = false;
  private onReopened: () => void = () => {};
  /** Path of its settings file; null = it has none. */
  private settings: string | null = null;

  /** Spawns the process. Throws a Fault when the system cannot start it. */
  constructor(context: GroupContext, shape: GroupShape) {
    this.context = context;
    this.shape = shape;
    this.forks = forksFor(shape.size, context.runtime);
    this.losses = new GroupLosses(this.forks);
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    // Who is interested awaits it; nobody has to.
    this.ready.catch(() => {});
    this.settle = { ready: ready.resolve, failed: ready.reject };
    this.life = this.begin();
    this.lookWhoWaits();
    this.output = new WorkerOutput(context.pool, context.runtime, this.forks, {
      onLine: context.output,
      onNews: (news) => this.onNews(news),
    });
    this.leader = this.spawn();
    this.output.leader = this.leader.pid;
    const { listener, guardian } = context;
    this.parked = new ParkedWorkers({ group: this.leader.pid, listener, guardian });
    this.members = new Members({
      leader: this.leader,
      forks: this.forks,
      leaderLives: () => this.leaderEnd === null,
      listener: withOutput(context.listener, this.output.inode),
      requestOf: context.runtime.requestOf,
      isParked: (worker) => this.parked.has(worker),
    });
    const { pool, generation, emit } = context;
    const { pid } = this.leader;
    const started = { pool: pool.name, pid, generation, workers: shape.size, forks: this.forks };
    emit({ type: "group-started", ...started });
    void this.watchStart();
  }

  get state(): GroupState {
    return this.life.state;
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
  get draining(): Life["draining"] {
    return this.life.draining;
  }
  /** Resolves when no worker of the group is left. */
  get gone(): Promise<void> {
    return this.life.gone;
  }

  /** Every process of it that lives: its leader and its workers, or the only one. */
  private get pids(): number[] {
    const leader = this.leaderEnd === null ? [this.leader.pid] : [];
    return [...new Set([...leader, ...this.members.workers().map(({ pid }) => pid)])];
  }

  /** What its processes get for a TERM. */
  private get terminate(): Signal {
    return this.forks ? this.context.runtime.stopSignal : "SIGTERM";
  }

  /**
   * Ends one of its workers whose request takes too long; the stop signal would let it go on. false: that
   * request is over, and the worker goes on.
   */
  endRequest(pid: number, identity: string): boolean {
    // Stopped first, so that it cannot come to another request between the last look and the end.
    holdStill(pid);
    if (!this.context.scoreboard.isIn(identity, pid, this.members)) {
      sendSignal(pid, "SIGCONT");
      return false;
    }
    this.timedOut ||= pid === this.leader.pid;
    this.endedOnPurpose.add(pid);
    sendSignal(pid, "SIGKILL");
    return true;
  }

  /** Has its leader open its own log files again, where it has any; resolves when it has, or does not say so in time. */
  async reopenLogs(): Promise<void> {
    const { pool, runtime } = this.context;
    const signal = runtime.reopenSignal(pool);
    if (signal === null || this.leaderEnd !== null || !this.forks) return;
    const reopened = new Promise<void>((resolve) => (this.onReopened = resolve));
    if (sendSignal(this.leader.pid, signal)) await Promise.race([reopened, sleep(REOPEN_MOST_MS)]);
  }

  /** Workers that were asked to leave by `recycle` a moment ago, and are still there. */
  get recycling(): readonly number[] {
    const justAsked = [...this.asked].filter(([, at]) => now() - at < ASK_AGAIN_MS);
    return justAsked.filter(([worker]) => stillThere(worker) !== null).map(([{ pid }]) => pid);
  }

  /** Whether a worker that is gone was asked to leave by `recycle`. */
  wasRecycled(pid: number): boolean {
    return [...this.asked.keys()].some((worker) => worker.pid === pid);
  }

  /** Asks one of its workers to leave if it is idle; its leader forks another, or the pool starts one. */
  recycle(worker: ProcessId): void {
    this.forgetAsked();
    // Known as it was given, however often it is asked.
    const known = { pid: worker.pid, startTime: worker.startTime };
    this.asked.set(known, now());
    if (!this.forks) return void this.drain();
    void this.signalToLeave(known).then((isAsked) => {
      if (!isAsked) this.asked.delete(known);
    });
  }

  private async signalToLeave(worker: ProcessId): Promise<boolean> {
    const { pool, runtime, listener } = this.context;
    const name = (pool.stopSignal as Signal | null) ?? runtime.stopSignal;
    if (!this.parked.has(worker)) return signalIfIdle(worker.pid, listener, { name, again: false });
    // It takes the signal when it goes on, before it accepts anything.
    sendSignal(worker.pid, name);
    this.parked.wakeOne(worker.pid);
    return true;
  }

  /** Lets it finish the requests in flight, within the pool's drain_timeout; then TERM, then KILL. */
  drain(): Promise<void> {
    this.parked.end();
    this.life.dispatch("drain");
    return this.gone;
  }

  /** TERM at once, KILL a second later. */
  stop(): Promise<void> {
    this.parked.end();
    this.life.dispatch("stop");
    return this.gone;
  }

  /** Whoever counts the workers has noticed by then that they are gone. */
  private forgetAsked(): void {
    for (const [worker, at] of this.asked)
      if (now() - at > REMEMBERED_MS && stillThere(worker) === null) this.asked.delete(worker);
  }

  // ---------------------------------------------------------------- starting

  private begin(): Life {
    const { pool, emit } = this.context;
    const processes = {
      living: () => this.pids,
      signal: (name: Signal) => this.signal(name),
      terminate: this.terminate,
      ask: (goesOn: () => boolean) => this.ask(goesOn),
      drainTimeoutMs: pool.drainTimeoutMs,
      tell: { pool: pool.name, emit },
    };
    return new Life("starting", processes, {
      onChange: (event, before) => this.onChange(event, before),
      onSignal: (name, wereThere) => this.countInFlight(name, wereThere),
      onStuck: (pids) => (this.losses.stuck = pids.map((pid) => ({ pool: pool.name, pid }))),
      onGone: () => this.close(),
    });
  }

  private spawn(): ProcessId {
    const { pool, runtime, listener } = this.context;
    try {
      const launch = launchOf(pool, runtime, this.shape, this.writeSettings());
      const socket =
        runtime.socketFd === 0 ? { stdin: listener.fd } : { stdin: null, third: listener.fd };
      const spec = { ...launch, ...socket, output: this.output.workerEnd };
      const id = spawn(spec, (end) => this.onLeaderEnd(end));
      this.output.handedOut();
      return id;
    } catch (error) {
      this.close();
      throw spawnFault(pool, error);
    }
  }

  private writeSettings(): GroupSettings | null {
    const { pool, runtime, stateDir } = this.context;
    const file = settingsOf(pool, runtime, this.shape);
    if (file === null) return null;
    this.settings = writeSettings(stateDir, pool.name, file.text);
    return { path: this.settings, file };
  }

  private async watchStart(): Promise<void> {
    const { pool, runtime, scoreboard } = this.context;
    while (this.state === "starting") {
      const sample = scoreboard.now();
      const workers = sample.workers(this.members);
      const isReady = (worker: WorkerView) =>
        hasReachedAccept(worker, this.members, sample, this.forks && !runtime.workersHaveSockets);
      if (workers.length >= this.size && workers.every(isReady)) {
        this.wasAccepting = workers.every(({ activity }) => isAccepting(activity));
        this.firstWorkers = workers.map(({ pid }) => pid);
        return this.life.dispatch("ready");
      }
      if (this.uptimeMs > pool.startTimeoutMs) return this.life.dispatch("start-timeout");
      if (!runtime.recyclesItself) this.lookWhoWaits();
      // One that may serve and exit by itself before it is ready is to be seen at that.
      const most = runtime.recyclesItself ? READY_POLL_MOST_MS : READY_POLL_MS;
      await sleep(Math.min(Math.max(READY_POLL_MS, this.uptimeMs * READY_POLL_SHARE), most));
    }
  }

  /** Whoever waits while it starts may be served by it before anybody sees that. */
  private lookWhoWaits(): void {
    if (this.waiting === 0) this.waiting = this.context.listener.queue()?.length ?? 0;
  }

  private onChange(event: GroupEvent, before: GroupState): void {
    if (event === "ready") return this.onReady();
    if (before !== "starting") return;
    const [{ pool }, { pid }] = [this.context, this.leader];
    const [end, outputTail] = [this.ended?.end ?? null, this.output.tail()];
    const children = event === "start-timeout" ? this.childrenOnSocket() : 0;
    this.settle.failed(startFault({ event, pool, pid, end, children, outputTail }));
  }

  /** What a program forks that was to be one worker. */
  private childrenOnSocket(): number {
    if (this.forks) return 0;
    const inode = String(this.context.listener.inode);
    const children = processesWhere(({ parent }) => parent === this.leader.pid);
    return children.filter(({ pid }) => socketAt(pid, 0) === inode).length;
  }

  private onReady(): void {
    this.readiness = this.leaderEnd === null ? "seen" : "inferred";
    const { pool, emit } = this.context;
    emit({ type: "group-ready", pool: pool.name, pid: this.leader.pid, ms: this.uptimeMs });
    this.settle.ready();
  }

  // ---------------------------------------------------------------- what its leader tells

  private onNews(news: OutputNews): void {
    switch (news.what) {
      case "logs-reopened":
        return this.onReopened();
      case "worker-ended":
        this.onWorkerEnd(news.pid, news.end);
        return this.countFailed(news.neverServed);
      case "worker-timed-out":
        return void this.endedOnPurpose.add(news.pid);
      case "leader-signalled":
        return this.onLeaderSignalled(news.signal);
    }
  }

  private onWorkerEnd(pid: number, end: ProcessEnd): void {
    const onPurpose = this.endedOnPurpose.delete(pid);
    if (this.state !== "serving" && this.state !== "starting") return;
    const unasked = !onPurpose && !(end.how === "exited" && end.code === 0);
    const { pool, emit } = this.context;
    const leader = this.leader.pid;
    emit({ type: "member-ended", pool: pool.name, pid, leader, end, unasked });
  }

  private countFailed(neverServed: boolean): void {
    this.failedWorkers = neverServed ? this.failedWorkers + 1 : 0;
    if (this.failedWorkers !== FAILED_WORKERS_MOST) return;
    if (this.state === "serving") this.context.onForkStorm(this);
    else this.life.dispatch("workers-fail");
  }

  /** It would serve no more, and wait for its longest request; without it the workers serve until others do. */
  private onLeaderSignalled(signal: string): void {
    if (this.state !== "serving") return;
    const { pool, emit } = this.context;
    emit({ type: "leader-signalled", pool: pool.name, leader: this.leader.pid, signal });
    this.wasSignalled = true;
    this.members.present();
    sendSignal(this.leader.pid, "SIGKILL");
  }

  // ---------------------------------------------------------------- leaving

  /**
   * To its process group, while that is certainly its own, and to workers that have left it. Some workers are cut
   * by TERM where others finish their request: these get their own signal, and their leader does not refill.
   */
  private signal(name: Signal): void {
    const { leader, members } = this;
    const sent = name === "SIGTERM" ? this.terminate : name;
    if (sent !== name && this.leaderEnd === null) sendSignal(leader.pid, "SIGKILL");
    if (this.leaderEnd === null || members.holdGroup) signalGroup(leader.pid, sent);
    for (const { pid } of members.outsideGroup()) sendSignal(pid, sent);
  }

  /** The leader goes first, or it would refill what leaves; it only waits, and KILL spares its workers. */
  private ask(goesOn: () => boolean): Promise<void> {
    const { pool, runtime, scoreboard } = this.context;
    // Whoever is seen now is known as a worker when the leader is gone.
    this.members.present();
    if (this.forks && this.leaderEnd === null) sendSignal(this.leader.pid, "SIGKILL");
    this.lookWhoIsInFlight(scoreboard.now());
    return stopGracefully({ pool, runtime, workers: this.members, scoreboard, goesOn });
  }

  /** To be done now and then: when it has been signalled it may be too late. */
  lookWhoIsInFlight(sample: Sample): void {
    this.inFlight.look(sample, this.members);
  }

  private countInFlight(name: "SIGTERM" | "SIGKILL", wereThere: readonly number[] | null): void {
    const sample = this.context.scoreboard.now();
    const count = this.inFlight.lookAfterSignal(sample, this.members, wereThere);
    this.losses.signalled(name, count);
  }

  private onLeaderEnd(end: ProcessEnd): void {
    const { state } = this;
    const reason = this.reasonOf(end);
    this.leaderEnd = { end, reason };
    this.losses.leaderEnded(end);
    this.output.drain();
    if (reason === "recycled") this.life.dispatch("ready");
    this.tellEnd(this.leaderEnd);
    if (this.forks) this.dismissUnknown();
    const left = this.members.workers().map(({ pid }) => pid);
    if (state === "serving" && left.length > 0) this.tellOrphans(left);
    this.life.dispatch(left.length > 0 ? "leader-ended" : "all-ended");
    if (state === "serving" || reason === "recycled") this.context.onLost(this);
  }

  /** Nobody would ask them to leave later; a worker finishes its request, and what is none may stay. */
  private dismissUnknown(): void {
    for (const { pid } of this.members.unknown()) sendSignal(pid, this.context.runtime.stopSignal);
  }

  private reasonOf(end: ProcessEnd): EndReason {
    const { pool, runtime } = this.context;
    const { state, timedOut } = this;
    const wasReady = this.wasReady !== null;
    const { forks, wasAccepting } = this;
    // A leader stays when its workers are recycled.
    const recycles = runtime.recyclesItself && pool.maxRequests > 0 && !forks;
    const wasWaitedFor = this.waiting > 0;
    if (this.wasSignalled) return "stopped";
    return endReason({
      ...{ end, state, wasReady, timedOut, recycles, forks, wasAccepting, wasWaitedFor },
    });
  }

  private tellEnd({ end, reason }: GroupEnd): void {
    const { pool, emit } = this.context;
    const [{ pid }, { size: workers, forks, uptimeMs }] = [this.leader, this];
    emit({ type: "group-ended", pool: pool.name, pid, workers, forks, end, reason, uptimeMs });
  }

  private tellOrphans(pids: readonly number[]): void {
    const { pool, emit } = this.context;
    emit({ type: "orphans-left", pool: pool.name, leader: this.leader.pid, pids });
  }

  private close(): void {
    this.parked.end();
    this.output.drain();
    this.output.close();
    if (this.settings !== null) removeSettings(this.settings);
  }
}
