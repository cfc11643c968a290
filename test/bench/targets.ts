// The figures to reach, as ratios within one run, and whether they were.

import type { Figures } from "./figures.ts";
import { count, markdown, ratio, shareText, time, type Row } from "./table.ts";

export interface Target {
  readonly what: string;
  readonly wanted: string;
  readonly found: string;
  /** null = this run did not measure it. */
  readonly reached: boolean | null;
}

export interface Names {
  readonly own: string;
  /** php-fpm with its control timeout, and as it comes. */
  readonly patient: string;
  readonly plain: string;
  readonly long: string;
  readonly steady: string;
}

const LEAST_SENT = 100_000;
const LONG_SHARE = 1 / 200;
const GAP_MS = 25;
const STEADY = 1.05;
const GENERATION = 2;

export function targets(rows: readonly Row[], figures: Figures, names: Names): Target[] {
  const row = (what: string, program: string) =>
    rows.find((candidate) => candidate.what === what && candidate.program === program) ?? null;
  const own = rows.filter(({ program }) => program === names.own);
  const sent = own.reduce((sum, { sent: more }) => sum + more, 0);
  const lost = own.reduce((sum, { lost: more }) => sum + more, 0);
  const long = row(names.long, names.own);
  const share = long && ratio(long, row(names.long, names.patient));
  const steadyRow = row(names.steady, names.own);
  const steady = steadyRow && ratio(steadyRow, row(names.steady, names.plain));
  const generation = figures.generationReady / figures.phpCgiVersion;
  return [
    {
      what: "requests lost by fcgivisor in all its rows",
      wanted: `0 of at least ${count(LEAST_SENT)}`,
      found: `${count(lost)} of ${count(sent)}`,
      reached: lost === 0 && sent >= LEAST_SENT,
    },
    {
      what: "p99 with a 5 s request in flight, to that of php-fpm with its control timeout",
      wanted: "1/200 at most",
      found: share === null ? "-" : shareText(share),
      reached: share === null ? null : share <= LONG_SHARE,
    },
    {
      what: "longest gap with a 5 s request in flight",
      wanted: `${GAP_MS} ms at most`,
      found: `${time(long?.gap ?? null)} ms`,
      reached: long?.gap == null ? null : long.gap <= GAP_MS,
    },
    {
      what: "requests a second through nginx, to those of php-fpm",
      wanted: `${STEADY} at least`,
      found: steady === null ? "-" : steady.toFixed(3),
      reached: steady === null ? null : steady >= STEADY,
    },
    {
      what: "a new generation of 8 is ready, to one bare `php-cgi -v`",
      wanted: `${GENERATION} at most`,
      found: `${generation.toFixed(2)} (${time(figures.generationReady)} ms to ${time(figures.phpCgiVersion)} ms)`,
      reached: generation <= GENERATION,
    },
  ];
}

export function targetTable(all: readonly Target[]): string {
  const cells = all.map(({ what, wanted, found, reached }) => [
    what,
    wanted,
    found,
    reached === null ? "not measured" : reached ? "yes" : "**no**",
  ]);
  return markdown(["figure", "wanted", "found", "reached"], cells, () => false);
}

/** Figures that have no rival, for whoever plans with them. */
export function figureLines(figures: Figures): string[] {
  return [
    `from the command to reload 8 workers to the new ones serving: ${time(figures.reloadServes)} ms`,
    `\`fcgivisor status\`: ${time(figures.status)} ms (\`fcgivisor --version\`: ${time(figures.version)} ms)`,
    `start of 100 workers, each a process of its own: ${time(figures.startHundred)} ms`,
    `memory of the supervisor, resident: ${megabytes(figures.rssOne)} with 1 worker, ${megabytes(figures.rssHundred)} with 100`,
  ];
}

function megabytes(kilobytes: number): string {
  return `${(kilobytes / 1024).toFixed(0)} MB`;
}
