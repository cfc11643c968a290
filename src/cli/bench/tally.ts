// What came of the requests of a load: their times, what was lost and how, and the longest gap. Kept
// apart from the sending, so that it can be checked with moments made up.

import { asFault, Fault, faultLines } from "../../fault.ts";

/** A request that got no good answer; `kind` is the word under which it is counted. */
export class Lost extends Fault {
  readonly kind: string;
  constructor(kind: string, message: string) {
    super(message);
    this.name = "Lost";
    this.kind = kind;
  }
}

export interface LoadResult {
  /** Answered and lost ones together. */
  readonly sent: number;
  readonly lost: number;
  /** The lost ones by kind. */
  readonly losses: Readonly<Record<string, number>>;
  /** What the first lost request was lost to. */
  readonly firstLoss: string | null;
  /** Milliseconds from the moment due to the end of the answer, of the answered ones. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The longest time, in milliseconds, in which no answer came though one was due. */
  readonly longestGap: number;
}

/** All moments are milliseconds on one clock. */
export class Tally {
  private readonly times: number[] = [];
  private readonly losses: Record<string, number> = {};
  private firstLoss: string | null = null;
  private lostCount = 0;
  private open = 0;
  /** A lost request does not end a gap: who is turned away is not served. */
  private unservedSince: number | null = null;
  private longestGap = 0;

  due(at: number): void {
    this.open++;
    this.unservedSince ??= at;
  }

  answered(dueAt: number, at: number): void {
    this.open--;
    this.times.push(at - dueAt);
    this.longestGap = this.gapUntil(at);
    this.unservedSince = this.open > 0 ? at : null;
  }

  lost(error: unknown): void {
    this.open--;
    this.lostCount++;
    const kind = error instanceof Lost ? error.kind : "failed";
    this.losses[kind] = (this.losses[kind] ?? 0) + 1;
    this.firstLoss ??= faultLines(asFault(error))[0]!;
  }

  /** `at` ends a gap that no answer has ended. */
  result(at: number): LoadResult {
    const sorted = this.times.toSorted((a, b) => a - b);
    return {
      sent: this.times.length + this.lostCount,
      lost: this.lostCount,
      losses: this.losses,
      firstLoss: this.firstLoss,
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      max: percentile(sorted, 1),
      longestGap: this.gapUntil(at),
    };
  }

  private gapUntil(at: number): number {
    return Math.max(this.longestGap, at - (this.unservedSince ?? at));
  }
}

/** The value that this share of all values does not exceed (nearest rank); 0 when there is none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
