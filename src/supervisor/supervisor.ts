// The Supervisor: its pools, its life from the start to the end, and what can be seen of it. What is
// done to it while it runs are its `operations`.

import type { Config } from "../config/model.ts";
import type { Event } from "../event.ts";
import type { Fault } from "../fault.ts";
import { after, now, wallClock } from "../sys/clock.ts";
import { EmergencyCounter } from "../pool/emergency.ts";
import { Scoreboard } from "../observe/scoreboard.ts";
import { InFlightWatch } from "../pool/in-flight-watch.ts";
import { MemberWatch } from "../pool/member-watch.ts";
import { RecyclingWatch } from "../pool/recycling-watch.ts";
import { RequestWatch } from "../pool/request-watch.ts";
import { ScalingWatch } from "../pool/scaling-watch.ts";
import { StoppedWatch } from "../pool/stopped-watch.ts";
import { Guardian } from "../worker/guardian.ts";
import type { Losses } from "../worker/losses.ts";
import { OutputLimits } from "../worker/output-limits.ts";
import type { Listener } from "../socket/listener.ts";
import { becomeSubreaper } from "../sys/process.ts";
import { residentBytes } from "../sys/proc/procfs.ts";
import { dropsSince, tcpDrops } from "../sys/socket/drops.ts";
import { type AdviceStatus, adviceStatus } from "./advice-status.ts";
import { comeUp } from "./start/come-up.ts";
import type { Summary } from "./service-manager/messages.ts";
import { Counts } from "./counts/counts.ts";
import type { Subscriber } from "./event-bus.ts";
import { History } from "./history.ts";
import { LameDuck } from "./lame-duck.ts";
import { OperationQueue, type Tell } from "./operations/operation-queue.ts";
import { tellUntil } from "./operations/progress.ts";
import { Reaper } from "./watch/reaper.ts";
import type { Recovery } from "./recovery/recovery.ts";
import { type Report, reportOf } from "./operations/report.ts";
import { shutDown } from "./shutdown.ts";
import { LoadWatch } from "./watch/load-watch.ts";
import { MemoryWatch } from "./watch/memory-watch.ts";
import { SocketWatch } from "./watch/socket-watch.ts";
import { allListeners } from "./sockets.ts";
import { StateKeeper } from "./recovery/state-keeper.ts";
import { seenBefore } from "./seen.ts";
import {
  countsStatus,
  isReady,
  poolStatuses,
  type Status,
  summaryOf,
  type SupervisorStatus,
  upgradeStatus,
  type Watches,
} from "./status.ts";
import { SupervisorTraces } from "./trace/traces.ts";
import { Operations } from "./operations/operations.ts";
import { PoolControl } from "./operations/pool-control.ts";
import type { SupervisorOptions } from "./supervisor-options.ts";
import { outputRate, poolsInOrder, type SupervisorState } from "./supervisor-state.ts";

/** So long after an operation the answer to it is out, and nobody waits. */
const REST_MS = 500;

export type SupervisorPhase = "starting" | "running" | "stopping" | "stopped";

/** What was there of an earlier supervisor. */
export interface TakenOver {
  /** Processes that still served. */
  readonly workers: number;
  /** Addresses whose socket could not be taken back from them. */
  readonly reopened: readonly string[];
  /** Masters of another program that served on the sockets. */
  readonly from: readonly {
    readonly program: string;
    readonly pid: number;
    readonly unit: string | null;
  }[];
}

export class Supervisor {
  private readonly options: SupervisorOptions;
  private readonly state: SupervisorState;
  private readonly queue: OperationQueue;
  readonly operations: Operations;
  readonly traces: SupervisorTraces;
  private readonly startedAt = now();
  private readonly startedOn = wallClock();
  private readonly dropsBefore = tcpDrops();
  private currentPhase: SupervisorPhase = "starting";
  private readonly keeper: StateKeeper;
  /** The configs that have served. */
  readonly history: History;
  private readonly socketWatch: SocketWatch;
  private readonly load: LoadWatch;
  private readonly memory: MemoryWatch;
  private readonly counts: Counts;
  private readonly scaling: ScalingWatch;
  /** What is done to one pool without a new config. */
  readonly control: PoolControl;
  private readonly outputLimits: OutputLimits;
  private readonly emergencies = new EmergencyCounter();
  private end: Promise<Losses> | null = null;
  private endsBy: "stop" | "quit" | null = null;
  /** From when it has come up: what it took over from an earlier supervisor. */
  private recovery: Recovery | null = null;
  /** With `keepGoing`: why some pools do not serve yet. */
  failedPools: readonly Fault[] = [];
  private readonly reaper = new Reaper();
  private readonly lameDuck: LameDuck;
  private cancelCollection: () => void = () => {};
  private readonly over = Promise.withResolvers<void>();

  constructor(options: SupervisorOptions) {
    this.options = options;
    const { emit, inherited, loaded } = options;
    const rateOf = (name: string) => outputRate(this.state, name);
    this.outputLimits = new OutputLimits(rateOf, options.log.output, emit);
    this.state = {
      config: loaded.config,
      generation: 0,
      rolledBack: null,
      stopped: new Set(),
      pools: new Map(),
      leftOver: [],
      claimed: new Map(),
      save: () => {
        if (this.currentPhase === "starting" || this.currentPhase === "running") this.keeper.save();
      },
      inherited,
      socketsAreStored: options.socketsAreStored,
      scoreboard: new Scoreboard(),
      guardian: new Guardian(emit),
      emit,
      output: (line) => this.outputLimits.write(line),
    };
    this.traces = new SupervisorTraces(this.state);
    this.queue = new OperationQueue(emit);
    this.lameDuck = new LameDuck(emit);
    const before = seenBefore(options.handover);
    this.socketWatch = new SocketWatch(this.state);
    this.load = new LoadWatch(this.state, before.loads);
    this.memory = new MemoryWatch(this.state);
    this.counts = new Counts(before.counts);
    this.scaling = new ScalingWatch({
      pools: () => poolsInOrder(this.state),
      scoreboard: this.state.scoreboard,
      maxWorkers: () => this.state.config.supervisor.maxWorkers,
      emit,
    });
    this.keeper = new StateKeeper(this.state, options.version);
    this.history = new History(loaded.config.supervisor.stateDir, emit);
    const { state, queue, scaling } = this;
    this.control = new PoolControl({ state, queue, scaling });
    this.operations = new Operations({
      state: this.state,
      history: this.history,
      queue: this.queue,
      socketWatch: this.socketWatch,
      keeper: this.keeper,
      load: options.load,
      reopenLog: options.log.reopen,
      seen: () => ({
        recent: options.log.recent.snapshot,
        loads: this.load.all,
        counts: this.counts.snapshot,
      }),
      lock: options.lock,
    });
  }

  /** What it does itself when something has happened. */
  get subscribers(): readonly Subscriber[] {
    return [
      (record) => this.counts.hear(record),
      ({ event }) => this.keepState(event),
      ({ event }) => this.watchForEmergency(event),
      ({ event }) => this.giveBackMemory(event),
      ({ event }) => this.operations.hear(event),
      ({ event }) => this.scaling.hear(event),
    ];
  }

  /** What starting and replacing workers took up is not needed again soon: a third of the whole. */
  private giveBackMemory({ type }: Event): void {
    if (type !== "operation-done" && type !== "supervisor-ready") return;
    this.cancelCollection();
    this.cancelCollection = after(REST_MS, () => Bun.gc(true));
  }

  private keepState({ type }: Event): void {
    // The name of its program is known for certain when a group is ready.
    const concerns = type === "group-started" || type === "group-ready" || type === "group-ended";
    if (concerns && this.currentPhase === "running") this.keeper.changed();
  }

  private watchForEmergency(event: Event): void {
    const { supervisor } = this.state.config;
    if (this.currentPhase !== "running" || !this.emergencies.isEmergency(event, supervisor, now()))
      return;
    this.state.emit({
      type: "emergency",
      deaths: supervisor.emergencyRestartThreshold,
      intervalMs: supervisor.emergencyRestartIntervalMs,
    });
    const request = { pools: [], wait: false, config: null, changed: false };
    // Its failure is in the log; the old workers go on.
    void this.operations.reload(request, "emergency_restart_threshold", () => {}).catch(() => {});
  }

  get phase(): SupervisorPhase {
    return this.currentPhase;
  }
  /** Pools that serve. */
  get poolCount(): number {
    return this.state.config.pools.length - this.failedPools.length;
  }
  /** Where the log goes; null = stderr. */
  get logFile(): string | null {
    return this.options.log.file;
  }
  /** What the start took over from an earlier supervisor. */
  get takenOver(): TakenOver {
    const { workers = 0, reopened = [], from = [] } = this.recovery ?? {};
    const masters = from.map(({ runtime, process: { pid }, unit }) => ({
      program: runtime.name,
      pid,
      unit,
    }));
    return { workers, reopened, from: masters };
  }
  /** Grows as long as the supervisor's own loop turns. */
  get beats(): number {
    return this.reaper.beats;
  }
  /** Resolves when stop or quit is done. */
  get stopped(): Promise<void> {
    return this.over.promise;
  }

  /** Starts every pool; rejects with the reason, and then nothing is left. */
  async start(): Promise<void> {
    this.watch();
    const { config, warnings } = this.options.loaded;
    const { emit } = this.options;
    emit({
      type: "supervisor-starting",
      version: this.options.version,
      pid: process.pid,
      config: config.source.file,
    });
    for (const fault of warnings) emit({ type: "config-warning", fault: fault.toJSON() });
    try {
      await this.queue.run("start", async (signal) => {
        const up = await comeUp(this.state, this.options, () => this.endsBy, signal);
        this.failedPools = up.failedPools;
        this.recovery = up.recovery;
        this.currentPhase = "running";
        this.keeper.save();
        this.history.keep(this.state.config, this.state.generation, "start");
      });
    } catch (error) {
      this.keeper.giveUp();
      this.state.scoreboard.stop();
      // What waits behind a start that failed has nothing to work on.
      this.queue.close("the failed start");
      throw error;
    }
    const workers = config.pools.reduce((sum, pool) => sum + pool.workers, 0);
    emit({
      type: "supervisor-ready",
      pools: config.pools.length,
      workers,
      ms: now() - this.startedAt,
    });
  }

  /** Begins to look after what nobody tells it of. */
  private watch(): void {
    becomeSubreaper();
    this.reaper.start();
    const { scoreboard } = this.state;
    const pools = () => poolsInOrder(this.state);
    const watches = [RequestWatch, MemberWatch, StoppedWatch, InFlightWatch, RecyclingWatch];
    for (const Watch of watches) scoreboard.add(new Watch(pools));
    scoreboard.add(this.socketWatch);
    scoreboard.add(this.load);
    scoreboard.add(this.scaling);
    scoreboard.add(this.memory);
    scoreboard.start();
  }

  /**
   * stop and quit: override what is in progress. A stop hurries a quit; a quit after a stop changes nothing.
   * `lameDuckMs`: before that, so many milliseconds in which all goes on, but it is not ready.
   */
  async shutDown(word: "stop" | "quit", by: string, tell: Tell, lameDuckMs = 0): Promise<Report> {
    const since = now();
    if (lameDuckMs > 0 && this.currentPhase === "running") await this.lameDuck.wait(lameDuckMs);
    this.lameDuck.end();
    if (this.end === null) {
      this.state.emit({ type: "supervisor-stopping", operation: word, by });
      this.currentPhase = "stopping";
      this.endsBy = word;
      this.end = this.queue.override(word).then(() => this.endAll(word));
      void this.end.finally(() => {
        this.currentPhase = "stopped";
        this.state.scoreboard.stop();
        this.keeper.remove();
        this.history.remove();
        this.outputLimits.flush();
        this.state.emit({ type: "supervisor-stopped", ms: now() - since });
        this.over.resolve();
      });
    } else if (word === "stop") {
      this.recovery?.hurry();
      void Promise.all(poolsInOrder(this.state).map((pool) => pool.stop()));
    }
    const losses = await tellUntil(this.end, this.state, tell);
    return { ...reportOf(word, this.state, since), ...losses };
  }

  private async endAll(word: "stop" | "quit"): Promise<Losses> {
    if (word === "stop") this.recovery?.hurry();
    return shutDown(this.state, word, this.recovery?.retired ?? Promise.resolve());
  }

  /** Of itself and its pools, as seen at this moment; `socket`: where it is asked. */
  status(socket: string): Status {
    return {
      ...this.ownStatus(socket),
      tcp_drops: dropsSince(this.dropsBefore),
      ...countsStatus(this.counts),
      pools: poolStatuses(this.state, this.watches),
    };
  }

  /** Of itself alone. */
  ownStatus(socket: string): SupervisorStatus {
    const { config, generation } = this.state;
    return {
      name: "fcgivisor",
      version: this.options.version,
      pid: process.pid,
      state: this.lameDuck.isOn ? "lame-duck" : this.currentPhase,
      operation: this.queue.current,
      started_at: this.startedOn.toISOString(),
      uptime_ms: Math.round(now() - this.startedAt),
      config: config.source.file,
      socket,
      log: this.options.log.file,
      generation,
      rolled_back: this.state.rolledBack,
      stopped_pools: [...this.state.stopped],
      upgrade: upgradeStatus(this.options.handover),
      rss_bytes: residentBytes(process.pid),
    };
  }

  /** How many workers each pool needs, from what was seen. */
  get advice(): AdviceStatus {
    return adviceStatus(this.state, this.watches);
  }

  private get watches(): Watches {
    const { load, memory, counts } = this;
    return { load, memory, counts };
  }

  get config(): Config {
    return this.state.config;
  }
  get summary(): Summary {
    return summaryOf(this.state);
  }
  /** Every socket there is, leaving ones included. */
  get listeners(): readonly Listener[] {
    return allListeners(this.state);
  }

  get isReady(): boolean {
    return this.currentPhase === "running" && !this.lameDuck.isOn && isReady(this.state);
  }
}
