// The status in Prometheus' text format.

import type { PoolStatus, Status } from "../supervisor/status.ts";

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly (readonly [labels: string, value: number])[];
}

export function metricsText(status: Status): string {
  const pools = (value: (pool: PoolStatus) => number) =>
    status.pools.map((pool) => [`{pool="${escape(pool.name)}"}`, value(pool)] as const);
  // A queue that cannot be seen has no sample: 0 would say that nobody waits.
  const queues = (value: (queue: NonNullable<PoolStatus["queue"]>) => number) =>
    status.pools.flatMap(({ name, queue }) =>
      queue === null ? [] : [[`{pool="${escape(name)}"}`, value(queue)] as const],
    );
  const metrics: Metric[] = [
    { name: "up", help: "1 while the supervisor runs.", samples: [["", 1]] },
    {
      name: "generation",
      help: "Grows with every start, reload and restart.",
      samples: [["", status.generation]],
    },
    {
      name: "uptime_seconds",
      help: "Age of the supervisor.",
      samples: [["", status.uptime_ms / 1000]],
    },
    {
      name: "pool_workers_wanted",
      help: "Workers a pool should have.",
      samples: pools((p) => p.workers.wanted),
    },
    {
      name: "pool_workers",
      help: "Workers by state.",
      samples: status.pools.flatMap(workerSamples),
    },
    {
      name: "pool_queue_length",
      help: "Connections waiting for a worker.",
      samples: queues((queue) => queue.length),
    },
    {
      name: "pool_queue_limit",
      help: "Connections that may wait.",
      samples: queues((queue) => queue.limit),
    },
    {
      name: "pool_failures",
      help: "Failed starts and early crashes in a row.",
      samples: pools((p) => p.failures),
    },
  ];
  return metrics.map(metricText).join("");
}

function workerSamples(pool: PoolStatus): [string, number][] {
  const { idle, busy, parked, unknown, starting, draining } = pool.workers;
  return Object.entries({ idle, busy, parked, unknown, starting, draining }).map(
    ([state, count]) => [`{pool="${escape(pool.name)}",state="${state}"}`, count],
  );
}

function metricText({ name, help, samples }: Metric): string {
  const full = `fcgivisor_${name}`;
  const lines = samples.map(([labels, value]) => `${full}${labels} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} gauge\n${lines.join("")}`;
}

function escape(text: string): string {
  return text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
}
