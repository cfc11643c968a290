import { expect, test } from "bun:test";
import type { PoolStatus, Status } from "../../src/admin/contract.ts";
import { metricsText } from "../../src/admin/metrics.ts";

function pool(name: string, queue: PoolStatus["queue"]): PoolStatus {
  const workers = { wanted: 2, idle: 2, busy: 0, parked: 0, unknown: 0, starting: 0, draining: 0 };
  return { name, queue, workers, failures: 0 } as PoolStatus;
}

const STATUS = {
  generation: 3,
  uptime_ms: 1500,
  pools: [pool("seen", { length: 4, limit: 511 }), pool('odd"\\', null)],
} as unknown as Status;

test("every line is what Prometheus' text format has", () => {
  const lines = metricsText(STATUS).trimEnd().split("\n");
  const sample = /^fcgivisor_[a-z_]+(\{[a-z]+="(\\.|[^"\\])*"(,[a-z]+="[^"]*")*\})? -?[0-9.]+$/;
  const comment = /^# (HELP|TYPE) fcgivisor_[a-z_]+ \S/;
  for (const line of lines) expect(line).toMatch(line.startsWith("#") ? comment : sample);
  expect(metricsText(STATUS)).toEndWith("\n");
});

test("a queue that cannot be seen is left out, not called empty", () => {
  const text = metricsText(STATUS);
  expect(text).toContain('fcgivisor_pool_queue_length{pool="seen"} 4');
  expect(text).not.toMatch(/queue_(length|limit)\{pool="odd/);
});
