// What can be done to a running supervisor: each operation is a story run under the rule of one at a
// time, and answered with a Report. (stop and quit are not among them: they end the supervisor's own life.)

import { reloaded } from "../../config/derived/diff.ts";
import type { Loaded } from "../../config/load.ts";
import type { Config } from "../../config/model.ts";
import type { Event } from "../../event.ts";
import { asFault } from "../../fault.ts";
import { now, sleep } from "../../sys/clock.ts";
import { type Losses, NO_LOSSES } from "../../worker/losses.ts";
import type { OperationQueue, Tell } from "./operation-queue.ts";
import { planned, type Planned } from "./plan.ts";
import { tellUntil } from "./progress.ts";
import { changedPools } from "./changed.ts";
import { Probations } from "./probations.ts";
import { propose } from "./proposal.ts";
import { reload } from "../reload.ts";
import { type BackgroundProcesses, type Report, reportOf } from "./report.ts";
import { restartPools } from "../restart.ts";
import { backgroundOf } from "../watch/background.ts";
import type { SocketWatch } from "../watch/socket-watch.ts";
import type { StateKeeper } from "../recovery/state-keeper.ts";
import { OWN_PROGRAM } from "../../sys/exec/self.ts";
import { tryCanaries } from "../start/canary.ts";
import type { Seen } from "../seen.ts";
import { becomeBinary, checkBinary } from "../upgrade.ts";
import type { History } from "../history.ts";
import { stopPool } from "../shutdown.ts";
import { findPool, type PoolOrder } from "./pool-control.ts";
import { poolsInOrder, type SupervisorState } from "../supervisor-state.ts";

/** A config that has served before. */
export interface Back {
  readonly generation: number;
  readonly config: Config;
  /** Why, when nobody asked for it. */
  readonly why: string | null;
}

export interface ReloadRequest {
  /** Empty = all. */
  readonly pools: readonly string[];
  /** false: answer at the swap. */
  readonly wait: boolean;
  /** The file to run with from here on; null = the one that there is. */
  readonly config: string | null;
  /** Only those pools that have changed since their workers started. */
  readonly changed: boolean;
  /** Go back to this, whatever the files say. */
  readonly back?: Back;
  /** Answer when the probation is over. */
  readonly waitProbation?: boolean;
}

export interface RollbackRequest {
  /** Whose config; null = the last other one that served. */
  readonly generation: number | null;
  readonly wait: boolean;
}

/** What the operations need. */
export interface Dependencies {
  readonly state: SupervisorState;
  readonly queue: OperationQueue;
  readonly keeper: StateKeeper;
  /** Looks at the shared sockets before workers are started on them. */
  readonly socketWatch: SocketWatch;
  /** Reads the config once more, or another file. */
  readonly load: (file?: string) => Promise<Loaded>;
  /** Reopens every log file, after the settings given; returns their paths. */
  readonly reopenLog: (loaded?: Loaded) => readonly string[];
  readonly history: History;
  /** What has been seen so far, for an upgrade. */
  readonly seen: () => Seen;
  /** The descriptor of the lock on the state directory. */
  readonly lock: number;
}

/** Long enough for a line on the control socket to go out: after execve(2) nobody sends it. */
const EXEC_PAUSE_MS = 50;

export class Operations {
  private readonly dependencies: Dependencies;
  /** Warnings that were told at the start or by the last reload: a reload tells what is new. */
  private told: ReadonlySet<string> = new Set();
  private readonly probations: Probations;

  constructor(dependencies: Dependencies) {
    this.dependencies = dependencies;
    this.probations = new Probations(dependencies.state.emit);
  }

  /** Keeps the warnings of the start. */
  hear(event: Event): void {
    this.probations.hear(event);
    if (event.type === "config-warning") this.told = new Set([...this.told, event.fault.message]);
  }

  async reload(request: ReloadRequest, by: string, tell: Tell): Promise<Report> {
    const { state, queue } = this.dependencies;
    const { wait, back } = request;
    const operation = back === undefined ? "reload" : "rollback";
    const order = { operation, by, detail: detailOf(request), tell } as const;
    let probation: Promise<void> = Promise.resolve();
    const done = await queue.carryOut(order, async (signal, since) => {
      const renewed = await this.renew(request, signal, tell);
      const { plan, drained, warnings } = renewed;
      probation = renewed.probation;
      const report = (left: boolean, losses?: Losses): Report => ({
        ...reportOf(operation, state, since),
        ...planPart(plan),
        ...(back === undefined ? {} : { back_to: back.generation }),
        drained: left,
        ...losses,
        background: background(state),
        warnings,
      });
      // The next operation need not wait for the last of the old workers, only this answer does.
      return async () =>
        wait ? report(true, await tellUntil(drained, state, tell)) : report(false);
    });
    if (request.waitProbation === true) await probation;
    return done;
  }

  /** Runs with the config of an earlier generation again, checked and carried out as a reload is. */
  async rollback({ generation, wait }: RollbackRequest, by: string, tell: Tell): Promise<Report> {
    return this.reload({ ...this.backTo(generation), wait }, by, tell);
  }

  /** What a rollback would do now; touches nothing. */
  async rollbackPlan(generation: number | null): Promise<Report> {
    const request = this.backTo(generation);
    const report = await this.plan(request);
    return { ...report, operation: "rollback", back_to: request.back.generation };
  }

  /** What has changed since the config of that generation, up to the one that runs. */
  difference(generation: number | null): Report {
    const since = now();
    const { state } = this.dependencies;
    const { back } = this.backTo(generation);
    const found = planned(back.config, state.config, () => true);
    const pools = found.pools.filter(
      ({ outcome, changes }) => outcome !== "replaced" || changes.length > 0,
    );
    const plan = planPart({ ...found, pools });
    return { ...reportOf("diff", state, since), ...plan, back_to: back.generation };
  }

  private backTo(generation: number | null) {
    const { state, history } = this.dependencies;
    const back = { ...history.configOf(generation, state.config), why: null };
    return { pools: [], config: null, changed: false, back };
  }

  /** The reload itself, up to the swap. */
  private async renew(request: Omit<ReloadRequest, "wait">, signal: AbortSignal, tell: Tell) {
    const { state, keeper, socketWatch, reopenLog, history } = this.dependencies;
    const { pools: only, config, back } = request;
    const before = { generation: state.generation, config: state.config };
    const from = state.config.source.file;
    const { loaded, next, warnings, plan, isTouched } = await this.proposal(request);
    socketWatch.look();
    tell({ step: "checked", pools: next.pools.length });
    const { drained } = await reload(state, reloaded(state.config, next), isTouched, signal, tell);
    keeper.save();
    history.keep(state.config, state.generation, back === undefined ? "reload" : "rollback");
    this.rolledBack(back ?? null, only);
    this.noLongerStopped(only);
    const touched = poolsInOrder(state).filter(({ name }) => isTouched(name));
    const probation = this.probations.watch(back === undefined ? touched : [], (why) =>
      this.reload(
        { pools: only, wait: true, config: null, changed: false, back: { ...before, why } },
        "reload.probation",
        () => {},
      ),
    );
    if (only.length === 0) reopenLog(loaded);
    const to = loaded.config.source.file;
    if (config !== null && to !== null) state.emit({ type: "config-switched", from, to });
    const fresh = this.fresh(warnings);
    this.told = new Set(warnings);
    return {
      plan,
      warnings: fresh,
      probation,
      drained: drained.catch((error: unknown) => this.trouble(error)),
    };
  }

  private rolledBack(back: Back | null, only: readonly string[]): void {
    const { state } = this.dependencies;
    if (back === null) {
      // The files say nothing yet of the pools that were not asked for.
      if (only.length === 0) state.rolledBack = null;
      return;
    }
    state.rolledBack = { to: back.generation, why: back.why };
    state.emit({ type: "rolled-back", ...state.rolledBack });
  }

  /** What was asked for serves, or the config has no such pool. */
  private noLongerStopped(only: readonly string[]): void {
    const { stopped } = this.dependencies.state;
    if (only.length === 0) stopped.clear();
    for (const name of only) stopped.delete(name);
  }

  /** The config to come, and what becomes of each pool that is touched. */
  private async proposal(request: Omit<ReloadRequest, "wait">) {
    const { pools: only, changed } = request;
    const { state } = this.dependencies;
    const proposal = await propose(state.config, this.loadOf(request), only);
    const { next } = proposal;
    const reasons = changed ? await changedPools(state, next) : null;
    const isTouched = (pool: string) =>
      reasons === null ? only.length === 0 || only.includes(pool) : reasons.has(pool);
    const plan = planned(state.config, next, isTouched);
    const pools = plan.pools.map((outcome) => {
      const because = reasons?.get(outcome.pool);
      return because === undefined ? outcome : { ...outcome, because };
    });
    return { ...proposal, isTouched, plan: { ...plan, pools } };
  }

  /** What a reload would do now; touches nothing. */
  async plan(request: Omit<ReloadRequest, "wait">): Promise<Report> {
    const since = now();
    const { state } = this.dependencies;
    const { warnings, plan: found } = await this.proposal(request);
    const plan = planPart(found);
    const fresh = this.fresh(warnings);
    return { ...reportOf("reload", state, since), dry_run: true, ...plan, warnings: fresh };
  }

  /** Becomes another program, or the same one again. Returns only when that fails: the answer comes from the next program. */
  async upgrade(binary: string | null, id: string, by: string, tell: Tell): Promise<Report> {
    const { state, queue, keeper, socketWatch, load, seen, lock } = this.dependencies;
    const detail = binary ?? OWN_PROGRAM;
    return queue.carryOut({ operation: "upgrade", by, detail, tell }, async (signal) => {
      // The config as it is now must come up, so that there is something to go back to.
      const proof = propose(state.config, load).then(async ({ next }) => {
        await tryCanaries(state, next.pools, state.generation + 1, signal);
        return next.pools.length;
      });
      // Both to their end, whichever fails: nothing of them is to be left.
      const asked = [checkBinary(binary, state.config.source.file), proof] as const;
      await Promise.allSettled(asked);
      const [upgrade, pools] = [await asked[0], await asked[1]];
      socketWatch.look();
      tell({ step: "checked", pools });
      keeper.save();
      tell({ step: "executing", version: upgrade.version });
      await sleep(EXEC_PAUSE_MS);
      return becomeBinary(state, upgrade, { lock, state: keeper.snapshot, seen: seen() }, id);
    });
  }

  /** `pool`: only this one; null = all. */
  async restart(by: string, tell: Tell, pool: string | null = null): Promise<Report> {
    const { state, queue, keeper, socketWatch, load, reopenLog, history } = this.dependencies;
    const only = pool === null ? [] : [pool];
    const isTouched = (name: string) => pool === null || name === pool;
    const order = { operation: "restart", by, detail: pool ?? "all pools", tell } as const;
    return queue.carryOut(order, async (signal, since) => {
      if (pool !== null) findPool(state, pool);
      const { loaded, next, warnings } = await propose(state.config, load, only);
      socketWatch.look();
      tell({ step: "checked", pools: next.pools.length });
      const config = reloaded(state.config, next);
      const losses = await restartPools(state, config, isTouched, signal, tell);
      keeper.save();
      history.keep(state.config, state.generation, "restart");
      this.rolledBack(null, only);
      this.noLongerStopped(only);
      if (pool === null) {
        this.probations.end();
        reopenLog(loaded);
      }
      const fresh = this.fresh(warnings);
      this.told = new Set(warnings);
      const about = pool === null ? {} : { pool };
      const report = { ...reportOf("restart", state, since), ...about };
      return async () => ({ ...report, ...losses, warnings: fresh });
    });
  }

  /** Ends one pool at once and closes its socket; a reload, or `startPool`, brings it back. */
  async stopPool({ pool, by, tell }: PoolOrder): Promise<Report> {
    const { state, queue, keeper } = this.dependencies;
    const order = { operation: "stop", by, detail: `pool ${pool}`, tell } as const;
    return queue.carryOut(order, async (_signal, since) => {
      const losses = await stopPool(state, findPool(state, pool));
      keeper.save();
      return async () => ({ ...reportOf("stop", state, since), pool, ...losses });
    });
  }

  /** Starts one pool of the config that does not run, as a reload would. */
  async startPool({ pool, by, tell }: PoolOrder): Promise<Report> {
    const { state } = this.dependencies;
    const since = now();
    if (state.pools.has(pool)) return { ...reportOf("start", state, since), pool, already: true };
    const request = { pools: [pool], wait: true, config: null, changed: false };
    const report = await this.reload(request, by, tell);
    return { ...report, operation: "start", pool, already: false };
  }

  async logrotate(by: string): Promise<Report> {
    const { state, queue, reopenLog } = this.dependencies;
    const order = { operation: "logrotate", by, detail: "every log file", tell: () => {} } as const;
    return queue.carryOut(order, async (_signal, since) => {
      const files = reopenLog();
      for (const file of files) state.emit({ type: "log-reopened", file });
      const groups = poolsInOrder(state)
        .flatMap(({ current, leaving }) => [current, ...leaving])
        .flatMap(({ all }) => all);
      await Promise.all(groups.map((group) => group.reopenLogs()));
      return async () => ({ ...reportOf("logrotate", state, since), files });
    });
  }

  private fresh(warnings: readonly string[]): string[] {
    return warnings.filter((warning) => !this.told.has(warning));
  }

  private loadOf({ config, back }: Pick<ReloadRequest, "config" | "back">): () => Promise<Loaded> {
    if (back === undefined) return () => this.dependencies.load(config ?? undefined);
    return async () => ({ config: back.config, warnings: [], origins: new Map() });
  }

  private trouble(error: unknown): Losses {
    this.dependencies.state.emit({ type: "trouble", fault: asFault(error).toJSON() });
    return NO_LOSSES;
  }
}

/** What the log says of it. */
function detailOf({ pools, config, changed, back }: ReloadRequest): string {
  const all = changed ? "pools that have changed" : "all pools";
  const which = pools.length === 0 ? all : pools.join(", ");
  if (back !== undefined) return `${which}, to the config of generation ${back.generation}`;
  return config === null ? which : `${which}, with the config ${config}`;
}

const SHOWN_PIDS = 10;

function background(state: SupervisorState): BackgroundProcesses[] {
  return [...backgroundOf(state)].map(([pool, pids]) => {
    return { pool, count: pids.length, pids: pids.slice(0, SHOWN_PIDS) };
  });
}

function planPart({ pools, settings, needsRestart }: Planned): Partial<Report> {
  return { pools, settings, needs_restart: needsRestart };
}
