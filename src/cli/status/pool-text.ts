// One pool in full, as text for people: what it is, how loaded it has been, what was counted, and each worker.

import type { PoolStatus } from "../../admin/contract.ts";
import { escapeControls } from "../../log/escape.ts";
import { requestText } from "./requests.ts";
import { type Cell, table } from "../table.ts";
import { ago, type Look, poolTable } from "./text.ts";
import { age, megabytes, number, requestAge, times } from "./units.ts";

export function poolText(pool: PoolStatus, look: Look): string {
  const { runtime, user, generation, last_error: error } = pool;
  return [
    ...poolTable([pool], look),
    "",
    `${runtime}${user === null ? "" : ` as ${user}`}, ${pool.scaling}, generation ${number(generation)}`,
    loadText(pool),
    `since the start: ${countsText(pool.counts)}`,
    ...(error === null ? [] : [`last error ${ago(error.at)}: ${error.message}`]),
  ]
    .map((line, i) => (i === 0 || i === 1 ? line : escapeControls(line)))
    .concat("", table(workerRows(pool), { ...look, cut: [6, 1] }))
    .join("\n");
}

function loadText({ load, queue, memory }: PoolStatus): string {
  const parts = [
    `at most ${number(load.busy_most)} busy`,
    `all busy ${load.all_busy === 0 ? "never" : times(load.all_busy)}`,
    ...(queue === null ? [] : [`at most ${number(queue.most)} waiting`]),
    ...(memory.warm_bytes === null ? [] : [`a warm worker takes ${megabytes(memory.warm_bytes)}`]),
    ...(memory.fresh_bytes === null ? [] : [`a fresh one ${megabytes(memory.fresh_bytes)}`]),
  ];
  return parts.join(", ");
}

function countsText(counts: PoolStatus["counts"]): string {
  const ended = Object.entries(counts.workers_ended).map(([why, count]) => `${count} ${why}`);
  const others = [
    [counts.slow_requests, counts.slow_requests === 1 ? "slow request" : "slow requests"],
    [counts.recycles.max_age, "asked to leave by max_age"],
    [counts.recycles.max_memory, "asked to leave by max_memory"],
    [counts.request_timeouts, "requests timed out"],
    [counts.backoffs, "starts put off after failures"],
    [counts.escalations, "workers left late"],
    [counts.lines_dropped, "lines of output dropped"],
  ] as const;
  return [
    ...(counts.requests === null ? [] : [`${counts.requests} requests`]),
    `${number(counts.workers_started)} workers started`,
    ...ended,
    ...others.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`),
  ].join(", ");
}

function workerRows(pool: PoolStatus): Cell[][] {
  const rows = pool.groups.flatMap((group) =>
    group.workers.map((worker): Cell[] => [
      number(worker.pid),
      group.draining === null
        ? worker.state
        : `draining, ${age(group.draining.age_ms)} of at most ${age(group.draining.age_ms + group.draining.left_ms)}`,
      number(group.generation),
      age(group.uptime_ms),
      megabytes(worker.rss_bytes),
      worker.request_ms === null ? "" : requestAge(worker.request_ms),
      requestText(worker),
    ]),
  );
  return [["WORKER", "STATE", "GENERATION", "AGE", "RSS", "RUNNING", "REQUEST"], ...rows];
}
