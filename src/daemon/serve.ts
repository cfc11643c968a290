// The life of a supervising process, read top to bottom: control socket, log, pools, pid file; then
// it serves until stop or quit, and takes everything away again.

import type { Loaded } from "../config/load.ts";
import type { Emit } from "../event.ts";
import { asFault } from "../fault.ts";
import { nameControlGroups } from "../sys/control-group.ts";
import { closeHandover, type Handover, receiveHandover } from "../sys/exec/handover.ts";
import { now, yieldToEvents } from "../sys/clock.ts";
import type { InheritedSockets } from "../socket/inherited.ts";
import type { ServiceManager } from "../supervisor/service-manager/service-manager.ts";
import { EventBus } from "../supervisor/event-bus.ts";
import { seenBefore } from "../supervisor/seen.ts";
import { goBack } from "../supervisor/upgrade.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { Gates } from "./gates.ts";
import { clearPidFile, writePidFile } from "./pid-file.ts";
import { ServiceLog } from "./service-log.ts";
import { type HeldSignals, listenToSignals } from "./signals.ts";
import { StateDir } from "./state-dir.ts";
import { leaveTraces } from "./traces.ts";

export interface ServeOptions {
  readonly version: string;
  readonly loaded: Loaded;
  /** Reads the config once more, for a reload. */
  readonly load: (file?: string) => Promise<Loaded>;
  /** From here on the config is read from that file. */
  readonly switchTo: (file: string) => void;
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
  const since = now();
  const undo: Undo[] = [];
  try {
    const places = await openPlaces(options, receiveHandover(), undo);
    const { supervisor, bus } = assemble(options, places);
    const { emit } = bus;
    listenToSignals(supervisor, emit);
    let forget = leaveTraces(options.loaded.config, emit);
    undo.push(() => forget());
    bus.subscribe(({ event }) => {
      if (event.type !== "config-switched") return;
      options.switchTo(event.to);
      forget();
      forget = leaveTraces(supervisor.config, emit);
    });
    await start(supervisor, options.signals).catch((error: unknown) => {
      tellFailedStart(error, now() - since, places, emit);
      throw error;
    });
    if (places.handover !== null) closeHandover(places.handover);
    await announce(supervisor, options, undo);
    await supervisor.stopped;
    // Answers under way (that of stop itself) go out before the log and the socket are closed.
    await places.gates.close();
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

/** What is to be taken away again at the end, the last first. */
type Undo = () => void | Promise<void>;

/** What there must be before there can be a supervisor. */
interface Places {
  /** What the program before this one handed over, after an upgrade. */
  readonly handover: Handover | null;
  readonly stateDir: StateDir;
  readonly gates: Gates;
  readonly log: ServiceLog;
}

async function openPlaces(
  options: ServeOptions,
  handover: Handover | null,
  undo: Undo[],
): Promise<Places> {
  const { config } = options.loaded;
  const stateDir = StateDir.claim(config.supervisor.stateDir, handover?.lock ?? null);
  undo.push(() => stateDir.release());
  nameControlGroups(config.supervisor.stateDir);
  clearPidFile(config.supervisor.pidFile);
  const gates = await Gates.open(config);
  undo.push(() => gates.close());
  const log = new ServiceLog(config, options.background, seenBefore(handover).recent);
  undo.push(() => log.close());
  return { handover, stateDir, gates, log };
}

/** The supervisor, who hears of what happens to it, and who may ask it. */
function assemble(options: ServeOptions, { handover, stateDir, gates, log }: Places) {
  const bus = new EventBus();
  const { emit } = bus;
  const { manager, loaded } = options;
  const { lock } = stateDir;
  const socketsAreStored = manager !== null;
  const supervisor = new Supervisor({ ...options, emit, log, handover, lock, socketsAreStored });
  // The log first: what others make of an event is told after it.
  const subscribers = [log.record, manager?.hear, ...supervisor.subscribers];
  for (const subscriber of subscribers) if (subscriber !== undefined) bus.subscribe(subscriber);
  manager?.watch(supervisor, emit);
  gates.answer({ supervisor, recent: log.recent, admin: loaded.config.admin, emit });
  return { supervisor, bus };
}

/** Resolves when every pool serves; also when it was told to stop meanwhile, and has. */
async function start(supervisor: Supervisor, signals: HeldSignals): Promise<void> {
  const starting = supervisor.start();
  // Not before the start is under way: it knows best what a stop has to end.
  void yieldToEvents().then(() => signals.release());
  try {
    await starting;
  } catch (error) {
    // Told to stop while it was starting: that is what it did, and nothing failed.
    if (supervisor.phase === "starting") throw error;
    await supervisor.stopped;
  }
}

/** After an upgrade the program before this one is there to go back to. */
function tellFailedStart(error: unknown, ms: number, { handover, log }: Places, emit: Emit): void {
  const fault = asFault(error);
  if (log.file !== null)
    emit({ type: "operation-failed", operation: "start", ms, fault: fault.toJSON() });
  if (handover !== null) goBack(handover, fault.message);
}

/** What fails once the pools serve must not leave them serving without a supervisor. */
async function announce(
  supervisor: Supervisor,
  { loaded, onReady }: ServeOptions,
  undo: Undo[],
): Promise<void> {
  // Told to stop meanwhile: nobody is to hear that it is ready.
  if (supervisor.phase !== "running") return;
  try {
    undo.push(writePidFile(loaded.config.supervisor.pidFile));
    onReady(supervisor);
  } catch (error) {
    await supervisor.shutDown("stop", "a failed start", () => {});
    throw error;
  }
}
