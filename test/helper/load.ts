// A load at a constant rate, open loop: each request has a moment at which it is due, and its latency
// counts from there, so that a service that stalls cannot hide it by slowing its client down.

import { Lost } from "./fcgi.ts";

export interface LoadPlan {
  /** Requests a second. */
  readonly rate: number;
  /** How many to send; without it the load goes on until `until` resolves. */
  readonly count?: number;
  readonly until?: Promise<unknown>;
  /** How many may be in flight at once. */
  readonly most?: number;
  /** One request; throws when it is lost. */
  readonly send: (index: number) => Promise<unknown>;
}

export interface LoadReport {
  readonly sent: number;
  readonly ok: number;
  /** Lost requests by kind, with the first message of each. */
  readonly lost: Readonly<Record<string, number>>;
  readonly lostTotal: number;
  readonly messages: readonly string[];
  /** Milliseconds from the moment due. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * A machine that is slower than the rate gets no more at once: what would overflow (a queue of
 * connections, nginx's own limit) tells of its speed, not of the service.
 */
const MOST_IN_FLIGHT = 100;

/** Runs the load and resolves when every request has been answered or lost. */
export async function load(plan: LoadPlan): Promise<LoadReport> {
  const { most = MOST_IN_FLIGHT } = plan;
  const began = performance.now();
  const latencies: number[] = [];
  const lost: Record<string, number> = {};
  const messages: string[] = [];
  const pending = new Set<Promise<void>>();
  let over = false;
  plan.until?.then(
    () => (over = true),
    () => (over = true),
  );
  const wanted = plan.count ?? Number.POSITIVE_INFINITY;

  async function one(index: number, due: number): Promise<void> {
    try {
      await plan.send(index);
      latencies.push(performance.now() - due);
    } catch (error) {
      const kind = error instanceof Lost ? error.kind : "wrong";
      lost[kind] = (lost[kind] ?? 0) + 1;
      if (messages.length < 5)
        messages.push(`#${index} at ${Math.round(due - began)} ms: ${error}`);
    }
  }

  let sent = 0;
  while (sent < wanted && !over) {
    const due = began + (sent * 1_000) / plan.rate;
    const wait = due - performance.now();
    // Late or not, those that are connected get their turn: a silent client may be hung up on.
    await Bun.sleep(Math.max(0, wait));
    const request = one(sent, due).finally(() => pending.delete(request));
    pending.add(request);
    sent++;
    if (pending.size >= most) await Promise.race(pending);
  }
  await Promise.all(pending);
  latencies.sort((a, b) => a - b);
  return {
    sent,
    ok: latencies.length,
    lost,
    lostTotal: sent - latencies.length,
    messages,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    max: latencies.at(-1) ?? 0,
  };
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
