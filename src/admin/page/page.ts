// The page for people on the listener of [metrics], and what it asks for again and again. It shows less than the status:
// not the query of a request, which may hold what is nobody's business, and nothing that workers write.

import { createHash } from "node:crypto";
import { escapeControls } from "../../log/escape.ts";
import type { RecentLog } from "../../log/recent.ts";
import type { LogFields } from "../../log/record.ts";
import type { PoolStatus, Status } from "../../supervisor/status.ts";
import { doingText } from "../../supervisor/trace/doing.ts";
import { now } from "../../sys/clock.ts";
import { jsonAnswer } from "../answer.ts";
import type { Looking, Pages } from "../open-pages.ts";
import html from "./page.html" with { type: "text" };

/** Bun's types know only the page that its bundler would make of it. */
const PAGE = html as unknown as string;

const REQUESTS_SHOWN = 15;
/** However many look at once, they share one look at the workers. */
const SHARED_MS = 1000;
const EVENTS_SHOWN = 15;
/** They name users and files, or quote the config. */
const PRIVATE_EVENTS = ["control-word", "config-warning", "trouble", "supervisor-starting"];

/** Nothing from elsewhere, and no other script or style than its own. */
const POLICY = [
  "default-src 'none'",
  `script-src ${hashOf("script")}`,
  `style-src ${hashOf("style")}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

export function pagePages(looking: Looking, recent: RecentLog): Pages {
  let last: { readonly at: number; readonly data: ReturnType<typeof pageData> } | null = null;
  return {
    "/": () => new Response(PAGE, { headers: HEADERS }),
    "/status.json": async () => {
      if (last === null || now() - last.at >= SHARED_MS)
        last = { at: now(), data: pageData(looking, recent) };
      return jsonAnswer(await last.data);
    },
  };
}

function hashOf(element: "script" | "style"): string {
  const text = new RegExp(`<${element}>([\\s\\S]*?)</${element}>`).exec(PAGE)?.[1] ?? "";
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

async function pageData({ supervisor, socket }: Looking, recent: RecentLog) {
  const choice = { pool: null, pid: null, longest: REQUESTS_SHOWN };
  const { workers } = await supervisor.traces.trace(choice);
  const doing = new Map(workers.map((worker) => [worker.pid, doingText(worker)]));
  const status: Status = supervisor.status(socket);
  const { version, pid, state, uptime_ms, generation, operation, pools } = status;
  return {
    version,
    pid,
    state,
    uptime_ms,
    generation,
    operation,
    pools: pools.map(poolData),
    requests: requestsOf(pools, doing),
    events: eventsOf(recent),
  };
}

function poolData({ name, state, workers, queue, load, memory, counts, last_error }: PoolStatus) {
  const { wanted, busy, parked, unknown } = workers;
  return {
    name,
    state,
    wanted,
    busy,
    parked,
    unknown,
    queue,
    busy_most: load.busy_most,
    all_busy: load.all_busy,
    cpu_percent: load.cpu_percent,
    queue_recent: load.queue_recent,
    memory: memory.pss_bytes,
    crashed: counts.workers_ended["crashed"] ?? 0,
    recycled: counts.workers_ended["recycled"] ?? 0,
    error: state === "serving" ? null : (last_error?.message ?? null),
  };
}

function requestsOf(pools: readonly PoolStatus[], doing: ReadonlyMap<number, string>) {
  return pools
    .flatMap(({ name: pool, groups }) =>
      groups.flatMap(({ workers }) =>
        workers.flatMap(({ pid, request_ms: ms, request }) => {
          const path = (request?.uri || request?.script || "").split("?", 1)[0]!;
          return ms === null ? [] : [{ pool, pid, ms, method: request?.method ?? "", path }];
        }),
      ),
    )
    .sort((one, other) => other.ms - one.ms)
    .slice(0, REQUESTS_SHOWN)
    .map((one) => ({ ...one, doing: escapeControls(doing.get(one.pid) ?? "") }));
}

/** The last one first. */
function eventsOf(recent: RecentLog) {
  return recent
    .select({ level: "notice", output: false, pool: null })
    .map(({ json }) => JSON.parse(json) as LogFields)
    .filter(({ event }) => !PRIVATE_EVENTS.includes(event))
    .slice(-EVENTS_SHOWN)
    .reverse()
    .map(({ time, level, message = "" }) => ({ time, level, message }));
}
