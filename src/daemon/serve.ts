// The life of a supervising process, read top to bottom: control socket, log, pools, pid file; then
// it serves until stop or quit, and takes everything away again.

import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stateDirDefault } from "../admin/default-place.ts";
import { leavePointer, removeIfEmpty } from "../admin/pointer.ts";
import { routes } from "../admin/routes.ts";
import { type AdminServer, alreadyRunning, serveAdmin } from "../admin/server.ts";
import type { Loaded } from "../config/load.ts";
import type { Config, LogConfig } from "../config/model.ts";
import type { Emit } from "../event.ts";
import { asFault, Fault } from "../fault.ts";
import { type Log, openLog } from "../log/logger.ts";
import { closeHandover, type Handover, receiveHandover } from "../sys/exec/handover.ts";
import { yieldToEvents } from "../sys/clock.ts";
import { heldLock, type Lock, takeLock } from "../sys/lock.ts";
import type { Inherited } from "../socket/inherited.ts";
import type { ServiceManager } from "../supervisor/service-manager/service-manager.ts";
import { goBack } from "../supervisor/upgrade.ts";
import { type LogPort, Supervisor } from "../supervisor/supervisor.ts";
import { lives } from "../sys/procfs.ts";
import { type HeldSignals, listenToSignals } from "./signals.ts";

export interface ServeOptions {
  readonly version: string;
  readonly loaded: Loaded;
  /** Reads the config once more, for a reload. */
  readonly load: () => Promise<Loaded>;
  /** In the background, stderr is not a place for a log. */
  readonly background: boolean;
  /** Sockets that were handed over at the start. */
  readonly inherited: Inherited;
  /** Who wants to be told how it goes. */
  readonly manager: ServiceManager;
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
    makeStateDir(config.supervisor.stateDir, undo);
    const handover = receiveHandover();
    const lock = lockStateDir(config.supervisor.stateDir, handover, undo);
    clearPidFile(config.supervisor.pidFile);
    const gate: Gate = { handle: async () => new Response("starting\n", { status: 503 }) };
    const server = serveAdmin(config.admin, (request) => gate.handle(request));
    undo.push(() => server.close());
    const log = openLogPort(options);
    undo.push(() => log.close());
    const managed = options.manager.present;
    const supervisor = new Supervisor({ ...options, managed, log, handover, lock: lock.fd });
    options.manager.watch(supervisor, log.emit);
    gate.handle = routes(supervisor, config.admin.socket);
    listenToSignals(supervisor, log.emit);
    undo.push(leaveTraces(config, log.emit));
    const starting = supervisor.start();
    // Not before the start is under way: it knows best what a stop has to end.
    void yieldToEvents().then(() => options.signals.release());
    await starting.catch(async (error: unknown) => {
      // Told to stop while it was starting: that is what it did, and nothing failed.
      if (supervisor.state !== "starting") return supervisor.stopped;
      if (log.file !== null)
        log.emit({
          type: "operation-failed",
          word: "start",
          ms: 0,
          fault: asFault(error).toJSON(),
        });
      if (handover !== null) goBack(handover, asFault(error).message);
      throw error;
    });
    if (handover !== null) closeHandover(handover);
    await orStopped(supervisor, () => {
      // Told to stop meanwhile: nobody is to hear that it is ready.
      if (supervisor.state !== "running") return;
      undo.push(writePidFile(config.supervisor.pidFile));
      options.onReady(supervisor);
    });
    await supervisor.stopped;
    // Answers under way (that of stop itself) go out before the log and the socket are closed.
    await closeGently(server);
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

async function closeGently(server: AdminServer): Promise<void> {
  await server.close();
}

function makeStateDir(path: string, undo: (() => void)[]): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new Fault("cannot make the state directory", {
      where: path,
      hint: "make its parent writable, or set another [supervisor] state_dir",
      cause: error,
    });
  }
  if (path === stateDirDefault()) refuseStranger(path);
  undo.push(() => removeIfEmpty(path));
}

/** In /tmp anybody can be there first, and could then change the state that the next start believes. */
function refuseStranger(path: string): void {
  const { uid, mode } = lstatSync(path);
  if ((uid === process.getuid!() || uid === 0) && (mode & 0o002) === 0) return;
  throw new Fault("the default state directory belongs to, or can be written by, somebody else", {
    where: path,
    hint: "set $XDG_RUNTIME_DIR to a folder of this user's, or [supervisor] state_dir",
  });
}

/** Two supervisors on one state directory would undo each other's work. */
function lockStateDir(stateDir: string, handover: Handover | null, undo: (() => void)[]): Lock {
  const path = join(stateDir, "lock");
  const lock = handover === null ? lockFile(path) : heldLock(handover.lock);
  if (lock === null) throw alreadyRunning(path);
  undo.push(() => {
    rmSync(path, { force: true });
    lock.release();
  });
  return lock;
}

function lockFile(path: string): Lock | null {
  try {
    return takeLock(path);
  } catch (error) {
    throw new Fault("cannot write in the state directory", {
      where: path,
      hint: "make it writable for this user, or set another [supervisor] state_dir",
      cause: error,
    });
  }
}

/** The pointer is for a day on which the config cannot be read; without it the service is as good. */
function leaveTraces(config: Config, emit: Emit): () => void {
  if (config.source.file === null) return () => {};
  const folder = stateDirDefault();
  try {
    return leavePointer(folder, config.source.file, config.admin.socket);
  } catch (error) {
    const fault = new Fault("cannot note where the control socket is", {
      where: folder,
      hint: `while the config cannot be read, name it yourself: --socket ${config.admin.socket}${misled()}`,
      cause: error,
    });
    emit({ type: "trouble", fault: fault.toJSON() });
    return () => {};
  }
}

/** `su` and `sudo -E` take the variable along, and then it names somebody else's folder. */
function misled(): string {
  return process.env["XDG_RUNTIME_DIR"]
    ? ", or set $XDG_RUNTIME_DIR to a folder of this user's"
    : "";
}

/** php-fpm's pid file: the number alone. Removed at the end if it is still ours. */
function writePidFile(path: string | null): () => void {
  if (path === null) return () => {};
  const unfinished = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(unfinished, String(process.pid), { mode: 0o644 });
    renameSync(unfinished, path);
  } catch (error) {
    throw new Fault("cannot write the pid file", {
      where: path,
      hint: "make its folder writable, or set another [supervisor] pid_file",
      cause: error,
    });
  }
  return () => {
    if (readPid(path) === String(process.pid)) rmSync(path, { force: true });
  };
}

/** A supervisor that was killed left its pid behind; whoever has that number now is somebody else. */
function clearPidFile(path: string | null): void {
  const pid = path === null ? null : readPid(path);
  if (path === null || pid === null || lives(Number(pid))) return;
  rmSync(path, { force: true });
}

function readPid(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    // Somebody removed it already.
    return null;
  }
}

/** In the background a log that would go to stderr goes to a file in the state directory. */
function logConfigOf(config: Config, background: boolean): LogConfig {
  if (config.log.file !== null || !background) return config.log;
  return { ...config.log, file: join(config.supervisor.stateDir, "fcgivisor.log") };
}

function openLogPort(options: ServeOptions): LogPort & { close(): void } {
  let settings = logConfigOf(options.loaded.config, options.background);
  let log: Log = openLog(settings);
  return {
    emit(event) {
      log.emit(event);
      options.manager.tell(event);
    },
    output: (line) => log.output(line),
    get file() {
      return settings.file;
    },
    reopen(loaded) {
      const next = loaded === undefined ? settings : logConfigOf(loaded.config, options.background);
      if (JSON.stringify(next) === JSON.stringify(settings)) return log.reopen();
      const old = log;
      log = openLog(next);
      settings = next;
      old.close();
      return next.file === null ? [] : [next.file];
    },
    close: () => log.close(),
  };
}
