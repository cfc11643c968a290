// The life of a supervising process, read top to bottom: control socket, log, pools, pid file; then
// it serves until stop or quit, and takes everything away again.

import { routes } from "../admin/routes.ts";
import { AdminServer } from "../admin/server.ts";
import type { Loaded } from "../config/load.ts";
import { asFault } from "../fault.ts";
import { closeHandover, receiveHandover } from "../sys/exec/handover.ts";
import { yieldToEvents } from "../sys/clock.ts";
import type { InheritedSockets } from "../socket/inherited.ts";
import type { ServiceManager } from "../supervisor/service-manager/service-manager.ts";
import { EventBus } from "../supervisor/event-bus.ts";
import { goBack } from "../supervisor/upgrade.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { clearPidFile, writePidFile } from "./pid-file.ts";
import { ServiceLog } from "./service-log.ts";
import { type HeldSignals, listenToSignals } from "./signals.ts";
import { StateDir } from "./state-dir.ts";
import { leaveTraces } from "./traces.ts";

export interface ServeOptions {
  readonly version: string;
  readonly loaded: Loaded;
  /** Reads the config once more, for a reload. */
  readonly load: () => Promise<Loaded>;
  /** In the background, stderr is not a place for a log. */
  readonly background: boolean;
  /** Sockets that were handed over at the start. */
  readonly inherited: InheritedSockets;
  /** Who wants to be told how it goes. */
  readonly manager: ServiceManager | null;
  readonly signals: HeldSignals;
  readonly takeover: boolean;
  readonly keepGoing: boolean;
  /** Called when every pool serves. */
  readonly onReady: (supervisor: Supervisor) => void;
}

/** Serves until it is told to stop; rejects with the reason when it does not even come up. */
export async function serve(options: ServeOptions): Promise<void> {
  const { config } = options.loaded;
  const undo: (() => void | Promise<void>)[] = [];
  try {
    const handover = receiveHandover();
    const stateDir = StateDir.claim(config.supervisor.stateDir, handover?.lock ?? null);
    undo.push(() => stateDir.release());
    clearPidFile(config.supervisor.pidFile);
    const gate: Gate = { handle: async () => new Response("starting\n", { status: 503 }) };
    const server = AdminServer.open(config.admin, (request) => gate.handle(request));
    undo.push(() => server.close());
    const log = new ServiceLog(config, options.background);
    undo.push(() => log.close());
    const bus = new EventBus();
    const { emit } = bus;
    const { manager } = options;
    const supervisor = new Supervisor({
      ...options,
      emit,
      log,
      handover,
      lock: stateDir.lock,
      socketsAreStored: manager !== null,
    });
    // The log first: what others make of an event is told after it.
    const subscribers = [log.record, manager?.hear, ...supervisor.subscribers];
    for (const subscriber of subscribers) if (subscriber !== undefined) bus.subscribe(subscriber);
    manager?.watch(supervisor, emit);
    gate.handle = routes(supervisor, config.admin.socket);
    listenToSignals(supervisor, emit);
    undo.push(leaveTraces(config, emit));
    const starting = supervisor.start();
    // Not before the start is under way: it knows best what a stop has to end.
    void yieldToEvents().then(() => options.signals.release());
    await starting.catch(async (error: unknown) => {
      // Told to stop while it was starting: that is what it did, and nothing failed.
      if (supervisor.phase !== "starting") return supervisor.stopped;
      const fault = asFault(error).toJSON();
      if (log.file !== null) emit({ type: "operation-failed", operation: "start", ms: 0, fault });
      if (handover !== null) goBack(handover, asFault(error).message);
      throw error;
    });
    if (handover !== null) closeHandover(handover);
    await orStopped(supervisor, () => {
      // Told to stop meanwhile: nobody is to hear that it is ready.
      if (supervisor.phase !== "running") return;
      undo.push(writePidFile(config.supervisor.pidFile));
      options.onReady(supervisor);
    });
    await supervisor.stopped;
    // Answers under way (that of stop itself) go out before the log and the socket are closed.
    await server.close();
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

/** What fails once the pools serve must not leave them serving without a supervisor. */
async function orStopped(supervisor: Supervisor, step: () => void): Promise<void> {
  try {
    step();
  } catch (error) {
    await supervisor.shutDown("stop", "a failed start", () => {});
    throw error;
  }
}

interface Gate {
  handle: (request: Request) => Promise<Response>;
}
