// Tells the service manager (systemd, or who else sets NOTIFY_SOCKET) how the supervisor is, and has it
// keep copies of our sockets, so that they outlive even the last worker. It only tells: nothing in the
// supervisor depends on whether anybody listens, and without NOTIFY_SOCKET nothing is done at all.

import type { Emit } from "../../event.ts";
import { asFault, Fault } from "../../fault.ts";
import type { Subscriber } from "../event-bus.ts";
import { storeName } from "../../socket/inherited.ts";
import type { Listener } from "../../socket/listener.ts";
import { after } from "../../sys/clock.ts";
import { monotonicMicroseconds } from "../../sys/monotonic.ts";
import { NotifySocket } from "../../sys/notify.ts";
import {
  changesSummary,
  failureLines,
  isReload,
  readyLines,
  reloadingLines,
  type Summary,
  statusLine,
} from "./messages.ts";
import { MessageQueue } from "./message-queue.ts";
import { keepWatchdog } from "./watchdog.ts";

export interface Watched {
  readonly summary: Summary;
  readonly listeners: readonly Listener[];
  readonly beats: number;
}

/** A status that changes all the time is told so often. */
const REFRESH_MS = 500;

type Environment = Readonly<Record<string, string | undefined>>;

export class ServiceManager {
  private readonly path: string;
  private readonly env: Environment;
  private readonly pid: number;
  private readonly queue: MessageQueue;
  private stage: "starting" | "serving" | "stopping" = "starting";
  /** Reloads in progress. */
  private reloads = 0;
  /** Sockets that it has copies of, by inode. */
  private readonly stored = new Map<number, Listener>();
  private watched: Watched | null = null;
  private emit: Emit = () => {};
  private cancelRefresh: (() => void) | null = null;
  private endWatchdog = () => {};

  private constructor(path: string, socket: NotifySocket, env: Environment, pid: number) {
    this.path = path;
    this.env = env;
    this.pid = pid;
    this.queue = new MessageQueue(socket, (error) => this.tellFailure(error));
  }

  /** The one that the environment names; null = there is none. */
  static of(env: Environment, pid: number): ServiceManager | null {
    const path = env["NOTIFY_SOCKET"];
    const socket = path === undefined ? null : NotifySocket.open(path);
    return socket === null ? null : new ServiceManager(path!, socket, env, pid);
  }

  /** Whom it is about, from when there is one; and whom to tell when it cannot be told. */
  watch(watched: Watched, emit: Emit): void {
    this.watched = watched;
    this.emit = emit;
    this.endWatchdog = keepWatchdog({
      env: this.env,
      pid: this.pid,
      beats: () => watched.beats,
      ping: () => this.queue.send(["WATCHDOG=1"]),
    });
  }

  /** Hears of every event. */
  readonly hear: Subscriber = ({ event }) => {
    switch (event.type) {
      case "supervisor-ready":
        this.stage = "serving";
        return this.tellReady();
      case "supervisor-stopping":
        this.stage = "stopping";
        return this.queue.send(["STOPPING=1", ...this.status()]);
      case "operation-started":
        return this.onOperation(event.operation, "begins");
      case "operation-done":
      case "operation-failed":
        return this.onOperation(event.operation, "ends");
      case "listener-closed":
        return this.forgetSocket(event.address);
      default:
        if (changesSummary(event)) this.refresh();
    }
  };

  /** The start failed for this reason. */
  failed(error: unknown): void {
    this.queue.send(failureLines(asFault(error)));
  }

  close(): void {
    this.endWatchdog();
    this.cancelRefresh?.();
    this.queue.close();
  }

  private onOperation(operation: string, moment: "begins" | "ends"): void {
    if (!isReload(operation)) return;
    if (moment === "begins") {
      this.reloads++;
      this.queue.send([...reloadingLines(monotonicMicroseconds()), ...this.status()]);
    } else if (this.reloads > 0) {
      this.reloads--;
      if (this.reloads === 0 && this.stage === "serving") this.tellReady();
      else this.storeSockets();
    }
  }

  private tellReady(): void {
    this.storeSockets();
    this.queue.send([...readyLines(this.pid), ...this.status()]);
  }

  private status(): string[] {
    const doing = this.stage === "serving" && this.reloads > 0 ? "reloading" : this.stage;
    return this.watched === null ? [] : [statusLine(doing, this.watched.summary)];
  }

  private refresh(): void {
    this.cancelRefresh ??= after(REFRESH_MS, () => {
      this.cancelRefresh = null;
      if (this.stage === "serving") this.storeSockets();
      this.queue.send(this.status());
    });
  }

  private storeSockets(): void {
    for (const listener of this.watched?.listeners ?? []) {
      if (listener.maker === "systemd" || this.stored.has(listener.inode)) continue;
      this.stored.set(listener.inode, listener);
      const name = storeName(listener.name);
      this.queue.send(["FDSTORE=1", `FDNAME=${name}`, "FDPOLL=0"], [listener.fd]);
    }
  }

  /** At the end a TCP socket stays in the store: if this is the stop of a restart, its queue lives on. */
  private forgetSocket(address: string): void {
    for (const [inode, listener] of this.stored) {
      if (listener.name !== address) continue;
      this.stored.delete(inode);
      if (this.stage === "stopping" && listener.address.kind !== "unix") continue;
      this.queue.send(["FDSTOREREMOVE=1", `FDNAME=${storeName(address)}`]);
    }
  }

  private tellFailure(error: unknown): void {
    const fault = new Fault("the service manager cannot be told", {
      where: this.path,
      hint: "the service runs on; the manager may think that it does not",
      cause: error,
    });
    this.emit({ type: "trouble", fault: fault.toJSON() });
  }
}
