// Metrics as text: in both forms what a reader of that form takes, and nothing that was not seen.

import { describe, expect, test } from "bun:test";
import type { PoolStatus, Status } from "../../src/admin/contract.ts";
import { familiesOf } from "../../src/admin/metrics/families.ts";
import { formFor, metricsText } from "../../src/admin/metrics/text.ts";

function pool(name: string, queue: PoolStatus["queue"], extra: Partial<PoolStatus> = {}) {
  const workers = { wanted: 2, idle: 1, busy: 1, parked: 0, unknown: 0, starting: 0, draining: 0 };
  const load = { busy_most: 2, all_busy: 3, cpu_ms: 1500, queue_recent: [], busy_recent: [] };
  const worker = { pid: 7, state: "busy", rss_bytes: 4096, request: null, request_ms: 2500 };
  return {
    name,
    state: "serving",
    listen: "127.0.0.1:9000",
    queue,
    workers,
    load,
    memory: { pss_bytes: 9000, warm_bytes: 5000, fresh_bytes: null },
    counts: {
      requests: null,
      workers_started: 4,
      workers_ended: { crashed: 1, "timed-out": 2 },
      slow_requests: 6,
      recycles: { max_age: 1, max_memory: 0 },
      request_timeouts: 2,
      backoffs: 0,
      escalations: 0,
      lines_dropped: 0,
    },
    failures: 0,
    groups: [{ workers: [worker] }],
    ...extra,
  } as unknown as PoolStatus;
}

const STATUS = {
  version: "1.2.3",
  generation: 3,
  uptime_ms: 1500,
  rss_bytes: 1000,
  tcp_drops: null,
  emergencies: 0,
  operations: [
    {
      operation: "reload",
      result: "done",
      count: 3,
      sum_ms: 1700,
      up_to: [
        [0.5, 1],
        [1, 2],
      ],
    },
  ],
  pools: [pool("seen", { length: 4, limit: 511, most: 9, full: 1 }), pool('odd"\\\n', null)],
} as unknown as Status;

const prometheus = metricsText(familiesOf(STATUS), "prometheus");
const openMetrics = metricsText(familiesOf(STATUS), "openmetrics");

test.each([
  ["", "prometheus"],
  ["text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "prometheus"],
  ["application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5", "openmetrics"],
] as const)("Accept: %s", (accept, form) => expect(formFor(accept)).toBe(form));

test("every line is what Prometheus' text format has", () => {
  const lines = prometheus.trimEnd().split("\n");
  const sample = /^(fcgivisor|phpfpm)_[a-z_]+(\{([a-z_]+="(\\.|[^"\\])*",?)+\})? -?[0-9.]+$/;
  const comment = /^# (HELP|TYPE) (fcgivisor|phpfpm)_[a-z_]+ \S/;
  for (const line of lines) expect(line).toMatch(line.startsWith("#") ? comment : sample);
  expect(prometheus).toEndWith("\n");
});

test("a counter has its suffix in the name of the family only where the form wants it there", () => {
  expect(prometheus).toContain("# TYPE fcgivisor_pool_all_busy_total counter\n");
  expect(openMetrics).toContain("# TYPE fcgivisor_pool_all_busy counter\n");
  for (const text of [prometheus, openMetrics])
    expect(text).toContain('fcgivisor_pool_all_busy_total{pool="seen"} 3\n');
  expect(openMetrics).toEndWith("\n# EOF\n");
  expect(prometheus).not.toContain("EOF");
});

test("durations are a histogram", () => {
  const labels = 'operation="reload",result="done"';
  const name = "fcgivisor_operation_duration_seconds";
  for (const line of [
    `${name}_bucket{${labels},le="0.5"} 1`,
    `${name}_bucket{${labels},le="1.0"} 2`,
    `${name}_bucket{${labels},le="+Inf"} 3`,
    `${name}_sum{${labels}} 1.7`,
    `${name}_count{${labels}} 3`,
  ])
    expect(prometheus).toContain(`${line}\n`);
});

describe("what cannot be seen", () => {
  test("is left out, not called zero", () => {
    expect(prometheus).toContain('fcgivisor_pool_queue_length{pool="seen"} 4\n');
    expect(prometheus).not.toMatch(/queue_(length|limit)[a-z_]*\{pool="odd/);
    expect(prometheus).not.toContain("tcp_listen");
  });

  test("nor are workers whose doings are unknown called idle or busy", () => {
    const workers = {
      wanted: 2,
      idle: 0,
      busy: 0,
      parked: 0,
      unknown: 2,
      starting: 0,
      draining: 0,
    };
    const status = { ...STATUS, pools: [pool("dark", null, { workers })] };
    const text = metricsText(familiesOf(status), "prometheus");
    expect(text).not.toMatch(/phpfpm_(idle|active)_processes/);
    expect(text).not.toContain("oldest_request");
    expect(text).toContain('fcgivisor_pool_workers{pool="dark",state="unknown"} 2\n');
  });
});

test("a name is escaped; a state that is new has a sample of its own", () => {
  expect(prometheus).toContain('{pool="odd\\"\\\\\\n"} ');
  const workers = { ...STATUS.pools[0]!.workers, parked: 5 };
  const text = metricsText(
    familiesOf({ ...STATUS, pools: [pool("p", null, { workers })] }),
    "prometheus",
  );
  expect(text).toContain('fcgivisor_pool_workers{pool="p",state="parked"} 5\n');
});

test("workers have samples of their own only when they are asked for", () => {
  expect(prometheus).not.toContain("fcgivisor_worker_");
  const text = metricsText(familiesOf(STATUS, true), "prometheus");
  expect(text).toContain('fcgivisor_worker_request_seconds{pool="seen",pid="7"} 2.5\n');
});
