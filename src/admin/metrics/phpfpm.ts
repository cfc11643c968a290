// The same numbers under the names of hipages/php-fpm_exporter, so that dashboards and alerts made for it work.

import type { PoolStatus, Status } from "../../supervisor/status.ts";
import type { Family, Sample } from "./text.ts";

export function phpFpmFamilies({ pools, uptime_ms }: Status): Family[] {
  const family = (
    name: string,
    help: string,
    value: (pool: PoolStatus) => number | null,
  ): Family => ({
    name: `phpfpm_${name}`,
    help,
    type: "gauge",
    samples: pools.flatMap((pool): Sample[] => {
      const number = value(pool);
      return number === null ? [] : [[{ pool: pool.name, scrape_uri: uriOf(pool) }, number]];
    }),
  });
  return [
    family("up", "1 while a worker of the pool serves.", ({ state }) => (state === "down" ? 0 : 1)),
    family("start_since", "Seconds since the supervisor started.", () =>
      Math.round(uptime_ms / 1000),
    ),
    family(
      "listen_queue",
      "Connections waiting for a worker.",
      ({ queue }) => queue?.length ?? null,
    ),
    family("max_listen_queue", "The most that waited.", ({ queue }) => queue?.most ?? null),
    family(
      "listen_queue_length",
      "Connections that may wait.",
      ({ queue }) => queue?.limit ?? null,
    ),
    family(
      "accepted_connections",
      "Requests begun; only where php-fpm itself counts them.",
      ({ counts }) => counts.requests,
    ),
    family("idle_processes", "Workers without a request.", idle),
    family("active_processes", "Workers with a request.", active),
    family("total_processes", "Workers with and without one.", ({ workers }) =>
      sum([workers.idle, workers.busy, workers.unknown]),
    ),
    family("max_active_processes", "The most that had one.", ({ load }) => load.busy_most),
    family("max_children_reached", "Times that all had one.", ({ load }) => load.all_busy),
    family(
      "slow_requests",
      "Requests that took longer than slow_timeout.",
      ({ counts }) => counts.slow_requests,
    ),
  ];
}

function idle({ workers: { idle, unknown } }: PoolStatus): number | null {
  return unknown > 0 ? null : idle;
}

function active({ workers: { busy, unknown } }: PoolStatus): number | null {
  return unknown > 0 ? null : busy;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0);
}

function uriOf({ listen }: PoolStatus): string {
  return listen.startsWith("/") ? `unix://${listen}` : `tcp://${listen}`;
}
