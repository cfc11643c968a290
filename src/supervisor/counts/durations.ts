// Durations as a Prometheus histogram has them: how many were no longer than each bound.

/** Seconds. A reload is a matter of tenths, or as long as the longest request. */
export const DURATION_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

export interface Durations {
  readonly count: number;
  readonly sumMs: number;
  /** For each bound, how many were no longer. */
  readonly upTo: readonly number[];
}

export const NO_DURATIONS: Durations = { count: 0, sumMs: 0, upTo: DURATION_BOUNDS.map(() => 0) };

export function withDuration({ count, sumMs, upTo }: Durations, ms: number): Durations {
  return {
    count: count + 1,
    sumMs: sumMs + ms,
    upTo: DURATION_BOUNDS.map((bound, i) => (upTo[i] ?? 0) + (ms <= bound * 1000 ? 1 : 0)),
  };
}
