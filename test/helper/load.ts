// A load: one request after another at a steady pace, as far as the machine can serve so many, and what
// became of them. It measures no times: how fast a service answers is for the benchmarks to tell.

import { Lost } from "./fcgi.ts";

export interface LoadPlan {
  /** Requests a second. */
  readonly rate: number;
  readonly until: Promise<unknown>;
  /** How many may be in flight at once. */
  readonly most?: number;
  /** One request; throws when it is lost. */
  readonly send: (index: number) => Promise<unknown>;
}

export interface LoadReport {
  readonly sent: number;
  readonly ok: number;
  /** Lost requests by kind, and what the first of them said. */
  readonly lost: Readonly<Record<string, number>>;
  readonly messages: readonly string[];
}

/**
 * A machine that is slower than the rate gets no more at once: what would overflow (a queue of
 * connections, nginx's own limit) tells of its speed, not of the service.
 */
const MOST_IN_FLIGHT = 100;
const MOST_MESSAGES = 5;

/** Runs the load and resolves when every request has been answered or lost. */
export async function load({
  rate,
  until,
  most = MOST_IN_FLIGHT,
  send,
}: LoadPlan): Promise<LoadReport> {
  const began = performance.now();
  const report = { sent: 0, ok: 0, lost: {} as Record<string, number>, messages: [] as string[] };
  const pending = new Set<Promise<void>>();

  async function one(index: number): Promise<void> {
    try {
      await send(index);
      report.ok++;
    } catch (error) {
      const kind = error instanceof Lost ? error.kind : "wrong";
      report.lost[kind] = (report.lost[kind] ?? 0) + 1;
      const after = Math.round(performance.now() - began);
      if (report.messages.length < MOST_MESSAGES)
        report.messages.push(`#${index}, after ${after} ms: ${error}`);
    }
  }

  while (Bun.peek.status(until) === "pending") {
    const request = one(report.sent++).finally(() => pending.delete(request));
    pending.add(request);
    // Late or not, those that are connected get their turn: a silent client may be hung up on.
    await Bun.sleep(1_000 / rate);
    if (pending.size >= most) await Promise.race(pending);
  }
  await Promise.all(pending);
  return report;
}
