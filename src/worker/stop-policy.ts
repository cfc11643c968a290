// How a worker is asked to leave without hurting its request in flight. Pure: what is seen of
// it goes in, what to do comes out. A worker whose stop signal finishes the request could be
// signalled at once, but the signal cuts its sleep() and select() short; so a busy one is left alone
// until it is idle, is between two requests, or has begun another one.

import type { Activity, Connection } from "../observe/activity.ts";
import type { Runtime } from "../runtime/runtime.ts";

export type StopStep =
  | "wait"
  | "signal"
  /** Stop it, make sure that it has no connection, signal it, let it go on. */
  | "freeze-and-look"
  | "wake-and-signal"
  /** Close its connection, on which its client keeps silent. */
  | "hang-up";

export interface StopSnapshot {
  readonly activity: Activity;
  /** What the program's own record says; "unknown" where it keeps none that can be read. */
  readonly request: "in-flight" | "none" | "unknown";
  readonly whileBusy: Runtime["stopSignalWhileBusy"];
  /** Inode of the connection it had when the drain began; null = none. */
  readonly firstConnection: string | null;
  /** Since the drain began. */
  readonly elapsedMs: number;
  /** Since it was last signalled; null = not yet. */
  readonly signalledMs: number | null;
  /** For how long it has been seen to wait for a silent client; null = it does not. */
  readonly silentMs: number | null;
  /** How long a busy worker that may be signalled is left alone. */
  readonly patienceMs: number;
}

/** A signal in the tiny window before accept(2) is lost on an idle worker, so it is sent again. */
const RESEND_MS = 100;
/** How long a worker that cannot be seen is given, when a signal would end its request. */
const BLIND_GRACE_MS = 2000;
/** An idle keep-alive connection is closed after so much silence: sooner where the record says that no request is in flight. */
const SILENCE_MS = { certain: 1000, guessed: 2000 } as const;

/** What to do with one worker of a draining group now. */
export function stopStep(snapshot: StopSnapshot): StopStep {
  const { activity, signalledMs } = snapshot;
  const finishes = snapshot.whileBusy === "finishes-request";
  switch (activity.doing) {
    case "gone":
      return "wait";
    case "idle":
      if (signalledMs !== null && signalledMs < RESEND_MS) return "wait";
      // Between the look and the signal an idle worker may get a request; frozen, it cannot.
      return finishes ? "signal" : "freeze-and-look";
    case "busy":
      return forBusy(snapshot, activity.connection, finishes);
    case "working":
      // It has answered, and goes on: fastcgi_finish_request().
      if (snapshot.request === "in-flight" && snapshot.elapsedMs < snapshot.patienceMs)
        return "wait";
      return finishes && signalledMs === null ? "signal" : "wait";
    case "stopped":
      return finishes && signalledMs === null ? "wake-and-signal" : "wait";
    case "unknown":
      if (signalledMs !== null) return "wait";
      return finishes || snapshot.elapsedMs >= BLIND_GRACE_MS ? "signal" : "wait";
  }
}

function forBusy(snapshot: StopSnapshot, connection: Connection, finishes: boolean): StopStep {
  if (finishes && snapshot.signalledMs === null && mayBeSignalled(snapshot, connection))
    return "signal";
  if (snapshot.silentMs === null || snapshot.request === "in-flight") return "wait";
  // First the signal, where it cuts nothing: a worker that has it closes the connection after the next request by itself.
  if (finishes && snapshot.signalledMs === null) return "wait";
  return snapshot.silentMs >= SILENCE_MS[snapshot.request === "none" ? "certain" : "guessed"]
    ? "hang-up"
    : "wait";
}

function mayBeSignalled(snapshot: StopSnapshot, connection: Connection): boolean {
  return (
    snapshot.request === "none" ||
    connection.inode !== snapshot.firstConnection ||
    snapshot.elapsedMs >= snapshot.patienceMs
  );
}
