// Reads what wrk prints.

export interface WrkResult {
  readonly perSecond: number;
  readonly sent: number;
  readonly lost: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function readWrk(text: string): WrkResult {
  const field = (pattern: RegExp): string => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`wrk did not print ${pattern}: ${text}`);
    return found;
  };
  const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const lost = (errors?.slice(1) ?? []).reduce((sum, count) => sum + Number(count), bad);
  return {
    perSecond: Number(field(/Requests\/sec:\s+([\d.]+)/)),
    sent: Number(field(/(\d+) requests in/)) + lost - bad,
    lost,
    p50: milliseconds(field(/^\s+50%\s+(\S+)/m)),
    p99: milliseconds(field(/^\s+99%\s+(\S+)/m)),
    max: milliseconds(field(/^\s+Latency\s+\S+\s+\S+\s+(\S+)/m)),
  };
}

const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function milliseconds(text: string): number {
  const [, number, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) throw new Error(`"${text}" is no time of wrk's`);
  return Number(number) * UNITS[unit]!;
}
