// How far a request has come, and so what its failure means: the same timeout has another cure while
// connecting than in the middle of the answer.

import { now } from "../sys/clock.ts";
import { FcgiFault } from "./failure.ts";

type Phase = "connecting" | "waiting" | "receiving";

/** What is known of the request while it runs. */
export interface Progress {
  phase: Phase;
  queueFull: boolean;
  readonly startedAt: number;
  connectedAt: number;
  firstByteAt: number;
}

export function startProgress(): Progress {
  const startedAt = now();
  return {
    phase: "connecting",
    queueFull: false,
    startedAt,
    connectedAt: startedAt,
    firstByteAt: startedAt,
  };
}

export function noteConnected(progress: Progress): void {
  progress.connectedAt = now();
  // On a Unix socket the answer's first byte may be there before this is called.
  if (progress.phase === "connecting") progress.phase = "waiting";
}

export function noteFirstByte(progress: Progress): void {
  if (progress.phase === "receiving") return;
  progress.phase = "receiving";
  progress.firstByteAt = now();
}

/** The deadline has passed: in connecting, before the first byte, or in the answer. */
export function timeoutFault(progress: Progress, ms: number, where: string): FcgiFault {
  const limit = `within ${Math.round(ms)} ms`;
  if (progress.phase === "connecting" && progress.queueFull) {
    const hint = "its workers are all busy or stuck: see fcgivisor status";
    return new FcgiFault("queue-full", `no place in the queue ${limit}`, where, hint);
  }
  switch (progress.phase) {
    case "connecting":
      return new FcgiFault(
        "timeout-connect",
        `no connection ${limit}`,
        where,
        "is the host reachable, or the listen queue full?",
      );
    case "waiting":
      return new FcgiFault(
        "timeout-first-byte",
        `connected, but no answer ${limit}`,
        where,
        "all workers may be busy, or this request takes longer: see fcgivisor status, or give it a longer timeout",
      );
    case "receiving":
      return new FcgiFault(
        "timeout-body",
        `the answer began, but did not end ${limit}`,
        where,
        "the program is slow or stuck in the middle of its output",
      );
  }
}

/** The program has closed the connection although the request had not ended. */
export function closedFault(
  progress: Progress,
  bytes: number,
  where: string,
  error?: Error,
): FcgiFault {
  const verb = error === undefined ? "closed" : "reset";
  const hint = "the worker may have crashed or been killed: see the supervisor's log";
  return progress.phase === "receiving"
    ? new FcgiFault(
        "closed-in-body",
        `the connection was ${verb} in the middle of the answer, after ${bytes} bytes`,
        where,
        hint,
        error,
      )
    : new FcgiFault(
        "closed-before",
        `the connection was ${verb} before the first byte of an answer`,
        where,
        hint,
        error,
      );
}
