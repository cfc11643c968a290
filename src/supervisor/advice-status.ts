// The advice of each pool with the figures it comes from: what `GET /v1/advice` answers.

import type { ConfigFormat } from "../config/model.ts";
import type { Pool } from "../pool/pool.ts";
import { freeMemory } from "../sys/machine/free-memory.ts";
import { processors } from "../sys/machine/processors.ts";
import { advise, looksOf, type Verdict } from "./advice.ts";
import type { Watches } from "./status.ts";
import { poolsInOrder, type SupervisorState } from "./supervisor-state.ts";

export interface AdviceStatus {
  readonly processors: number;
  /** Memory that new processes can have, in bytes; null: not told. */
  readonly free_bytes: number | null;
  readonly pools: readonly PoolAdvice[];
}

export interface PoolAdvice {
  readonly pool: string;
  readonly verdict: Verdict;
  /** How many there are, and how many there should be. */
  readonly workers: number;
  readonly advised: number;
  /** The line of the config that says so. */
  readonly setting: string;
  readonly wanted: number;
  readonly busy_most: number;
  readonly queue_most: number | null;
  readonly all_busy: number;
  readonly looks: number;
  readonly room: number | null;
  readonly worker_bytes: number | null;
  readonly limit_bytes: number | null;
  readonly cpu_percent_all_busy: number;
  /** By the hour, the first hour first: since when, in UTC, and the highest marks. */
  readonly hours: readonly {
    readonly at: string;
    readonly busy_most: number;
    readonly queue_most: number;
    /** In hundredths of the looks. */
    readonly all_busy_percent: number;
  }[];
}

const HOUR_MS = 3_600_000;

export function adviceStatus(state: SupervisorState, watches: Watches): AdviceStatus {
  const machine = { processors: processors(), freeBytes: freeMemory() };
  const sample = state.scoreboard.now();
  return {
    processors: machine.processors,
    free_bytes: machine.freeBytes,
    pools: poolsInOrder(state).map((pool) => {
      const load = watches.load.of(pool.name);
      const memory = watches.memory.of(pool, sample);
      const { memoryMax, groupSize, workers } = pool.config;
      const limitBytes = typeof memoryMax === "number" ? memoryMax : null;
      const figures = { workers, groupSize: groupSize ?? 1, load, memory, limitBytes, ...machine };
      const { verdict, workers: advised, wanted, room, workerBytes } = advise(figures);
      return {
        pool: pool.name,
        verdict,
        workers,
        advised,
        setting: settingText(pool, state.config.source.format, advised),
        wanted,
        busy_most: load.busyMost,
        queue_most: load.queueMost,
        all_busy: load.allBusyTimes,
        looks: looksOf(load.hours),
        room,
        worker_bytes: workerBytes,
        limit_bytes: limitBytes,
        cpu_percent_all_busy: load.cpuPercentAllBusy,
        hours: load.hours.map(({ hour, busyMost, queueMost, looks, allBusyLooks }) => ({
          at: new Date(hour * HOUR_MS).toISOString(),
          busy_most: busyMost,
          queue_most: queueMost,
          all_busy_percent: Math.round((100 * allBusyLooks) / Math.max(1, looks)),
        })),
      };
    }),
  };
}

/** As the format of the config has it. */
function settingText({ name }: Pool, format: ConfigFormat, workers: number): string {
  switch (format) {
    case "toml":
      return `workers = ${workers}        # in [pools.${name}]`;
    case "php-fpm-ini":
      return `pm.max_children = ${workers}        ; in [${name}]`;
    case "legacy-xml":
      return `<value name="max_children">${workers}</value>`;
    case "command-line":
      return `--workers ${workers}`;
  }
}
