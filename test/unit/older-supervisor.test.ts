// A supervisor that is older than this program tells less: whatever it leaves out, there is a text, and what is not told
// is called neither a number nor nothing.

import { expect, test } from "bun:test";
import type { Status } from "../../src/admin/contract.ts";
import { plain } from "../../src/cli/paint.ts";
import { withUnknown } from "../../src/cli/status/older.ts";
import { poolText } from "../../src/cli/status/pool-text.ts";
import { statusText } from "../../src/cli/status/text.ts";
import { frame } from "../../src/cli/status/watch/frame.ts";
import { glyphsFor } from "../../src/cli/status/watch/graph.ts";
import { ORDERS } from "../../src/cli/status/watch/view.ts";

const REQUEST = { method: "GET", uri: "/a", query: "", script: "/srv/a.php", content_length: 0 };

/** As a supervisor of today tells it. */
const WHOLE: Status = {
  name: "fcgivisor",
  version: "0.1.0",
  pid: 10,
  state: "running",
  operation: null,
  started_at: "2026-11-29T03:15:44Z",
  uptime_ms: 5000,
  config: "/etc/f.toml",
  socket: "/run/f.sock",
  log: null,
  generation: 2,
  rolled_back: { to: 1, why: "two workers crashed" },
  stopped_pools: ["old"],
  upgrade: null,
  rss_bytes: 1,
  tcp_drops: { overflows: 1, drops: 1 },
  last_reload: { at: "2026-11-29T03:15:44Z", result: "done", ms: 20, message: null },
  operations: [],
  emergencies: 0,
  pools: [
    {
      name: "www",
      state: "degraded",
      listen: "127.0.0.1:9000",
      runtime: "php-cgi",
      user: "www-data",
      scaling: "dynamic",
      follows_load: false,
      generation: 2,
      workers: { wanted: 4, idle: 1, busy: 1, parked: 2, unknown: 0, starting: 1, draining: 1 },
      queue: { length: 1, limit: 511, most: 3, full: 1 },
      load: {
        busy_most: 4,
        all_busy: 2,
        cpu_ms: 10,
        requests_per_second: 12.5,
        cpu_percent: 3,
        queue_recent: [1, null],
        busy_recent: [1, 2],
      },
      memory: { pss_bytes: 1e7, warm_bytes: 1e6, fresh_bytes: 1e5 },
      counts: {
        requests: 9,
        workers_started: 4,
        workers_ended: { crashed: 1 },
        slow_requests: 1,
        recycles: { max_age: 1, max_memory: 1 },
        request_timeouts: 1,
        backoffs: 1,
        escalations: 1,
        lines_dropped: 1,
      },
      last_error: { at: "2026-11-29T03:15:44Z", message: "it crashed" },
      background: 1,
      failures: 1,
      groups: [
        {
          pid: 11,
          generation: 2,
          state: "serving",
          uptime_ms: 4000,
          draining: { age_ms: 10, left_ms: 20 },
          workers: [
            {
              pid: 12,
              state: "busy",
              rss_bytes: 1e6,
              request: REQUEST,
              request_ms: 900,
              state_ms: 900,
              age_ms: 4000,
              cpu_ms: 5,
            },
          ],
        },
      ],
    },
  ],
};

type Path = readonly (string | number)[];

/** The names that an older supervisor may not know, wherever they are. */
function pathsOf(value: unknown, at: Path = []): Path[] {
  if (Array.isArray(value)) return value.flatMap((each, i) => pathsOf(each, [...at, i]));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    [...at, name],
    ...pathsOf(inner, [...at, name]),
  ]);
}

function without(path: Path): Status {
  const copy = structuredClone(WHOLE) as unknown as Record<string | number, unknown>;
  let holder = copy;
  for (const name of path.slice(0, -1)) holder = holder[name] as typeof holder;
  delete holder[path.at(-1)!];
  return copy as unknown as Status;
}

const CANVAS = { columns: 200, rows: 60, paint: plain, glyphs: glyphsFor({}) };

function allTexts(status: Status): string {
  const look = { width: null, paint: plain };
  const scene = { status, doing: null, events: [], trouble: null };
  const frames = ORDERS.flatMap((order) =>
    frame(scene, { pool: null, order, asks: null, told: null }, CANVAS),
  );
  const pools = status.pools.map((pool) => poolText(pool, look));
  return [statusText(status, look), ...pools, ...frames].join("\n");
}

/** Known since there is a status, and what a status is of. */
const ALWAYS = ["last_error", "last_reload", "rolled_back", "tcp_drops", "request", "draining"];

const PATHS = pathsOf(WHOLE).filter(([...path]) => !ALWAYS.includes(String(path.at(-2))));

test.each(PATHS.map((path) => [path.join(".")] as const))("without %s there is a text", (name) => {
  const path = PATHS.find((each) => each.join(".") === name)!;
  const text = allTexts(withUnknown(without(path)));
  expect(text).not.toMatch(/NaN|undefined|\[object|Invalid/);
  expect(text).toContain("fcgivisor");
});

test("what is told is shown as before, and more than this program knows does no harm", () => {
  expect(withUnknown(WHOLE)).toEqual(WHOLE);
  const newer = { ...WHOLE, novelty: { a: 1 } } as Status;
  expect(allTexts(withUnknown(newer))).toBe(allTexts(WHOLE));
});

test("a number that is not told is a question mark", () => {
  const load = without(["pools", 0, "load"]);
  expect(allTexts(withUnknown(load))).toMatch(/^ +www .*\?%/m);
  expect(allTexts(withUnknown(load))).toContain("at most ? busy");
});
