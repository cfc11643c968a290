// How a worker is asked to leave without hurting the request it has in hand. Pure: what is seen of
// it goes in, what to do comes out. A worker whose stop signal finishes the request could be
// signalled at once, but the signal cuts its sleep() and select() short; so a busy one is left alone
// until it is idle, or has begun another request.

import type { Activity } from "../observe/activity.ts";
import type { Runtime } from "../runtime/runtime.ts";

export type Courtesy = "wait" | "signal" | "freeze-and-look" | "wake-and-signal";

export interface DrainSight {
  readonly activity: Activity;
  readonly whileBusy: Runtime["stopSignalWhileBusy"];
  /** The connection it had when the drain began; null = none. */
  readonly firstConnection: string | null;
  /** Since the drain began. */
  readonly elapsedMs: number;
  /** Since it was last signalled; null = not yet. */
  readonly signalledMs: number | null;
  /** How long a busy worker that may be signalled is left alone. */
  readonly patienceMs: number;
}

/** A signal in the tiny window before accept(2) is lost on an idle worker, so it is sent again. */
const RESEND_MS = 100;
/** How long a worker that cannot be seen is given, when a signal would end its request. */
const BLIND_GRACE_MS = 2000;

/** What to do with one worker of a draining group now. */
export function courtesyFor(sight: DrainSight): Courtesy {
  const { activity, whileBusy, signalledMs } = sight;
  if (activity.doing === "gone") return "wait";
  const finishes = whileBusy === "finishes-request";
  if (signalledMs !== null) {
    return activity.doing === "idle" && signalledMs >= RESEND_MS ? idleStep(finishes) : "wait";
  }
  switch (activity.doing) {
    case "idle":
      return idleStep(finishes);
    case "working":
      return finishes ? "signal" : "wait";
    case "stopped":
      return finishes ? "wake-and-signal" : "wait";
    case "unknown":
      return finishes || sight.elapsedMs >= BLIND_GRACE_MS ? "signal" : "wait";
    case "busy":
      return finishes && busyLongEnough(sight, activity.connection) ? "signal" : "wait";
  }
}

/** Between the look and the signal an idle worker may get a request; frozen, it cannot. */
function idleStep(finishes: boolean): Courtesy {
  return finishes ? "signal" : "freeze-and-look";
}

function busyLongEnough(sight: DrainSight, connection: string): boolean {
  return connection !== sight.firstConnection || sight.elapsedMs >= sight.patienceMs;
}
