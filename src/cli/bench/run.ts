// One bench from its first request to its report: the load, the reloads beside it, and Ctrl-C.

import { addressText } from "../../sys/socket/address.ts";
import { now } from "../../sys/clock.ts";
import type { BenchOrder } from "./order.ts";
import { type Reload, Reloads } from "./reloads.ts";
import type { BenchReport } from "./report.ts";
import { type BenchRequest, sendBenchRequest } from "./request.ts";
import { Interrupts } from "./interrupts.ts";
import { Load } from "./load.ts";

/** Ends by itself: when the time is over, every request has its timeout, and so has the last reload. */
export async function runBench(
  order: BenchOrder,
  asked: Omit<BenchRequest, "signal">,
  reload: Reload | null,
): Promise<BenchReport> {
  const enough = new AbortController();
  const request = { ...asked, signal: enough.signal };
  const began = now();
  const load = Load.start({
    perSecond: order.rate,
    atOnce: order.connections,
    forMs: order.durationMs,
    send: (dueAt) => sendBenchRequest(request, dueAt),
  });
  const reloads = reload && order.reload ? Reloads.start(order.reload.everyMs, reload) : null;
  // The first ends the sending, a second one the waiting for what was sent.
  const interrupts = new Interrupts((count) => void (count === 1 ? load.stop() : enough.abort()));
  const result = await load.result;
  const tookMs = now() - began;
  const reloaded = (await reloads?.stop(order.timeoutMs, enough.signal)) ?? null;
  interrupts.off();
  const interrupted = interrupts.happened;
  const address = addressText(request.address);
  return { order, address, load: result, tookMs, interrupted, reloads: reloaded };
}
