// What `bench` has found, as lines for people and as JSON.

import { durationText } from "../../config/settings/durations.ts";
import type { BenchOrder } from "./order.ts";
import type { ReloadsResult } from "./reloads.ts";
import type { LoadResult } from "./tally.ts";

export interface BenchReport {
  readonly order: BenchOrder;
  /** As one writes it. */
  readonly address: string;
  readonly load: LoadResult;
  /** How long it took, in milliseconds; less than ordered when it was interrupted. */
  readonly tookMs: number;
  readonly interrupted: boolean;
  /** null = none were asked for. */
  readonly reloads: ReloadsResult | null;
}

/** Nothing was lost, and every reload did what it was asked for. */
export function wentWell({ load, reloads }: BenchReport): boolean {
  const reloaded = reloads === null || (reloads.failed.length === 0 && !reloads.unfinished);
  return load.lost === 0 && reloaded;
}

export function benchLines(report: BenchReport): string[] {
  const { order, load, address, reloads } = report;
  const whom = order.pool === null ? address : `pool ${order.pool} (${address})`;
  const time = `${(report.tookMs / 1000).toFixed(1)} s${report.interrupted ? " (interrupted)" : ""}`;
  return [
    `sent    ${load.sent} requests for ${order.url} to ${whom}, ${order.rate} a second, in ${time}`,
    `lost    ${lossText(load)}`,
    `time    ${timeText(load)}`,
    `gap     ${ms(load.longestGap)} at most without an answer while one was due`,
    ...(reloads === null || order.reload === null
      ? []
      : [`reloads ${reloadText(reloads)} (every ${durationText(order.reload.everyMs)})`]),
  ];
}

function lossText({ lost, losses, firstLoss }: LoadResult): string {
  if (lost === 0) return "0";
  const kinds = Object.entries(losses).map(([kind, count]) => `${count} ${kind}`);
  return `${lost}: ${kinds.join(", ")}; the first: ${firstLoss}`;
}

function timeText({ sent, lost, p50, p99, max }: LoadResult): string {
  if (sent === lost) return "no answer";
  return `p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(max)}, from the moment due to the end of the answer`;
}

function reloadText({ doneMs, failed, unfinished }: ReloadsResult): string {
  const sorted = doneMs.toSorted((a, b) => a - b);
  const [shortest, longest] = [sorted[0], sorted.at(-1)];
  const span =
    shortest === undefined || longest === undefined
      ? ""
      : doneMs.length === 1
        ? `, ${ms(longest)}`
        : `, ${ms(shortest)} to ${ms(longest)} each`;
  const more = [
    ...(failed.length === 0 ? [] : [`${failed.length} failed, the first: ${failed[0]}`]),
    ...(unfinished ? ["one still going on"] : []),
  ];
  return [`${doneMs.length} done${span}`, ...more].join("; ");
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

export function benchJson(report: BenchReport): object {
  const { order, load, reloads } = report;
  const timed = (value: number) => (load.sent === load.lost ? null : rounded(value));
  return {
    pool: order.pool,
    address: report.address,
    url: order.url,
    rate: order.rate,
    duration_ms: rounded(report.tookMs),
    interrupted: report.interrupted,
    sent: load.sent,
    lost: load.lost,
    losses: load.losses,
    first_loss: load.firstLoss,
    p50_ms: timed(load.p50),
    p99_ms: timed(load.p99),
    max_ms: timed(load.max),
    longest_gap_ms: rounded(load.longestGap),
    reloads:
      reloads === null
        ? null
        : {
            every_ms: order.reload?.everyMs,
            done: reloads.doneMs.length,
            durations_ms: reloads.doneMs.map(rounded),
            failed: reloads.failed,
            unfinished: reloads.unfinished,
          },
  };
}

/** To the microsecond; what is behind that is noise. */
function rounded(value: number): number {
  return Number(value.toFixed(3));
}
