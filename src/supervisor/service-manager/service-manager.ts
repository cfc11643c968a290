// Tells the service manager (systemd, or who else sets NOTIFY_SOCKET) how the supervisor is, and has it
// keep copies of our sockets, so that they outlive even the last worker. It only tells: nothing in the
// supervisor depends on whether anybody listens, and without NOTIFY_SOCKET nothing is done at all.

import type { Emit, Event } from "../../event.ts";
import { asFault, Fault } from "../../fault.ts";
import type { Subscriber } from "../event-bus.ts";
import { storeName } from "../../socket/inherited.ts";
import type { Listener } from "../../socket/listener.ts";
import { after } from "../../sys/clock.ts";
import { monotonicMicroseconds } from "../../sys/monotonic.ts";
import { openNotifySocket } from "../../sys/notify.ts";
import {
  changesSummary,
  failureLines,
  isReload,
  readyLines,
  reloadingLines,
  type Summary,
  statusLine,
} from "./messages.ts";
import { notifyQueue, type NotifyQueue } from "./message-queue.ts";
import { keepWatchdog } from "./watchdog.ts";

export interface Watched {
  readonly summary: Summary;
  readonly listeners: readonly Listener[];
  readonly beats: number;
}

export interface ServiceManager {
  /** Whether there is one. */
  readonly present: boolean;
  /** Hears of every event. */
  readonly hear: Subscriber;
  /** Whom it is about, from when there is one. */
  watch(watched: Watched, emit: Emit): void;
  /** The start failed for this reason. */
  failed(error: unknown): void;
  close(): void;
}

/** A status that changes all the time is told so often. */
const REFRESH_MS = 500;

type Environment = Readonly<Record<string, string | undefined>>;

/** The service manager that the environment names; one that does nothing when it names none. */
export function serviceManager(env: Environment, pid: number): ServiceManager {
  const path = env["NOTIFY_SOCKET"];
  const socket = path === undefined ? null : openNotifySocket(path);
  if (socket === null) return { present: false, hear() {}, watch() {}, failed() {}, close() {} };
  let report: (fault: Fault) => void = () => {};
  const queue = notifyQueue(socket, (error) => {
    const hint = "the service runs on; the manager may think that it does not";
    report(new Fault("the service manager cannot be told", { where: path!, hint, cause: error }));
  });
  const manager = teller(queue, env, pid);
  return {
    ...manager,
    watch(watched, emit) {
      report = (fault) => emit({ type: "trouble", fault: fault.toJSON() });
      manager.watch(watched, emit);
    },
  };
}

function teller(queue: NotifyQueue, env: Environment, pid: number): ServiceManager {
  let watched: Watched | null = null;
  let stage: "starting" | "serving" | "stopping" = "starting";
  let reloads = 0;
  let cancelRefresh: (() => void) | null = null;
  let endWatchdog = () => {};
  const stored = new Map<number, Listener>();

  const doing = () => (stage === "serving" && reloads > 0 ? "reloading" : stage);
  const status = () => (watched === null ? [] : [statusLine(doing(), watched.summary)]);

  function storeSockets(): void {
    for (const listener of watched?.listeners ?? []) {
      if (listener.maker === "systemd" || stored.has(listener.inode)) continue;
      stored.set(listener.inode, listener);
      queue.send(["FDSTORE=1", `FDNAME=${storeName(listener.name)}`, "FDPOLL=0"], [listener.fd]);
    }
  }

  /** At the end a TCP socket stays in the store: if this is the stop of a restart, its queue lives on. */
  function forgetSocket(address: string): void {
    for (const [inode, listener] of stored) {
      if (listener.name !== address) continue;
      stored.delete(inode);
      if (stage === "stopping" && listener.address.kind !== "unix") continue;
      queue.send(["FDSTOREREMOVE=1", `FDNAME=${storeName(address)}`]);
    }
  }

  function refresh(): void {
    cancelRefresh ??= after(REFRESH_MS, () => {
      cancelRefresh = null;
      if (stage === "serving") storeSockets();
      queue.send(status());
    });
  }

  function tell(event: Event): void {
    if (event.type === "supervisor-ready") {
      stage = "serving";
      storeSockets();
      queue.send([...readyLines(pid), ...status()]);
    } else if (event.type === "supervisor-stopping") {
      stage = "stopping";
      queue.send(["STOPPING=1", ...status()]);
    } else if (event.type === "operation-started" && isReload(event.operation)) {
      reloads++;
      queue.send([...reloadingLines(monotonicMicroseconds()), ...status()]);
    } else if (endsReload(event) && reloads > 0) {
      reloads--;
      storeSockets();
      if (reloads === 0 && stage === "serving") queue.send([...readyLines(pid), ...status()]);
    } else if (event.type === "listener-closed") forgetSocket(event.address);
    else if (changesSummary(event)) refresh();
  }

  return {
    present: true,
    hear: ({ event }) => tell(event),
    watch(whom) {
      watched = whom;
      endWatchdog = keepWatchdog({
        env,
        pid,
        beats: () => whom.beats,
        ping: () => queue.send(["WATCHDOG=1"]),
      });
    },
    failed: (error) => queue.send(failureLines(asFault(error))),
    close() {
      endWatchdog();
      cancelRefresh?.();
      queue.close();
    },
  };
}

function endsReload(event: Event): boolean {
  return (
    (event.type === "operation-done" || event.type === "operation-failed") &&
    isReload(event.operation)
  );
}
