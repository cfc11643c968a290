// A Status as text for people, at a glance: the supervisor, a line for each pool, what stands out, and the requests
// that have been running longest.

import type { PoolStatus, Status } from "../../admin/contract.ts";
import { escapeControls } from "../../log/escape.ts";
import { elapsed, firstOf } from "../../log/words.ts";
import { wallClock } from "../../sys/clock.ts";
import { type Paint, plain, type Tone } from "../paint.ts";
import { requestRows } from "./requests.ts";
import { type Cell, table } from "../table.ts";
import { age, megabytes, number, times } from "./units.ts";

export interface Look {
  /** Columns of the terminal; null = as wide as it gets. */
  readonly width: number | null;
  readonly paint: Paint;
}

const REQUESTS_SHOWN = 5;

export function statusText(status: Status, look: Look = { width: null, paint: plain }): string {
  const requests = requestRows(status.pools).slice(0, REQUESTS_SHOWN + 1);
  return [
    ...headLines(status),
    "",
    ...poolTable(status.pools, look),
    ...noteLines(status, look.paint),
    ...(requests.length > 1 ? ["", ...table(requests, { ...look, cut: [3, 2] })] : []),
  ].join("\n");
}

export function headLines(status: Status): string[] {
  const { version, pid, state, uptime_ms, generation, operation, config, log } = status;
  const doing = operation === null ? "" : `, ${operation} in progress`;
  return [
    `fcgivisor ${version}, process ${number(pid)}, ${state} for ${age(uptime_ms)}, generation ${number(generation)}${doing}`,
    `config ${config ?? "from the command line"}, log ${log ?? "stderr"}`,
    ...rolledBackLine(status),
    ...stoppedLine(status),
    ...reloadLine(status),
  ].map(escapeControls);
}

function rolledBackLine({ rolled_back: back }: Status): string[] {
  if (back === null) return [];
  const why = back.why === null ? "" : `, because ${back.why}`;
  return [
    `gone back to the config of generation ${back.to}${why}; the files say otherwise: \`fcgivisor reload\` takes them on`,
  ];
}

function stoppedLine({ stopped_pools: stopped }: Status): string[] {
  if (stopped.length === 0) return [];
  const which = stopped.length === 1 ? "pool" : "pools";
  return [`stopped: ${which} ${firstOf(stopped, 10)}; \`fcgivisor start POOL\` starts it again`];
}

function reloadLine({ last_reload: last }: Status): string[] {
  if (last === null) return [];
  const how = last.result === "done" ? `done in ${elapsed(last.ms)}` : `failed: ${last.message}`;
  return [`last reload ${ago(last.at)}: ${how}`];
}

export function ago(at: string): string {
  return `${age(Math.max(0, wallClock().getTime() - Date.parse(at)))} ago`;
}

const TONES: Readonly<Record<string, Tone>> = {
  serving: "good",
  resting: "calm",
  paused: "warn",
  degraded: "warn",
  down: "bad",
};
/** States of workers that have a place of their own in the table. */
const KNOWN = ["wanted", "idle", "busy", "unknown"];

export function poolTable(pools: readonly PoolStatus[], { width, paint }: Look): string[] {
  // A state that no worker is in needs no column.
  const others = Object.keys(pools[0]?.workers ?? {}).filter(
    (state) => !KNOWN.includes(state) && pools.some((pool) => countOf(pool, state) > 0),
  );
  const isCounted = pools.some(({ load }) => load.requests_per_second !== null);
  const rate = isCounted ? ["REQ/S"] : [];
  const head = ["POOL", "STATE", "LISTEN", "BUSY", "QUEUE", ...rate, "CPU", "MEMORY"];
  const rows = pools.map((pool): Cell[] => [
    pool.name,
    stateCell(pool),
    pool.listen,
    busyCell(pool),
    queueCell(pool),
    ...(isCounted ? [rateText(pool)] : []),
    `${number(pool.load.cpu_percent)}%`,
    megabytes(pool.memory.pss_bytes),
    ...others.map((state) => number(countOf(pool, state))),
  ]);
  const all = [[...head, ...others.map((state) => state.toUpperCase())], ...rows];
  return table(all, { width, paint, cut: [2, 0] });
}

export function rateText({ load: { requests_per_second: rate } }: PoolStatus): string {
  if (rate === null) return "";
  return rate < 10 ? rate.toFixed(1) : rate.toFixed(0);
}

function countOf({ workers }: PoolStatus, state: string): number {
  return (workers as Readonly<Record<string, number>>)[state] ?? 0;
}

export function stateCell({ state, failures }: PoolStatus): Cell {
  const text = failures > 0 ? `${state} (failed ${failures}x)` : state;
  return { text, tone: failures > 0 && state === "serving" ? "warn" : (TONES[state] ?? "dim") };
}

/** Where workers cannot be seen, a number would be a guess. */
function busyCell({ workers: { busy, wanted, unknown } }: PoolStatus): Cell {
  const text = `${unknown > 0 ? "?" : number(busy)}/${number(wanted)}`;
  return busy > 0 && busy >= wanted ? { text, tone: "warn" } : text;
}

function queueCell({ queue }: PoolStatus): Cell {
  if (queue === null) return "?";
  const text = `${number(queue.length)}/${number(queue.limit)}`;
  return queue.length > 0 ? { text, tone: "warn" } : text;
}

/** What an operator should know without having to ask. */
export function noteLines(status: Status, paint: Paint): string[] {
  return [...status.pools.flatMap((pool) => poolNotes(pool, paint)), ...dropLine(status, paint)];
}

function poolNotes(pool: PoolStatus, paint: Paint): string[] {
  const { name, state, last_error: error, load, queue, background } = pool;
  const isIll = error !== null && (state === "down" || state === "degraded");
  const full = queue?.full ?? 0;
  return [
    ...(isIll
      ? [
          paint(
            "bad",
            escapeControls(`pool ${name} is ${state}, ${ago(error.at)}: ${error.message}`),
          ),
        ]
      : []),
    ...(full > 0
      ? [
          paint(
            "bad",
            `the queue of pool ${name} was full ${times(full)} (limit ${number(queue!.limit)})`,
          ),
        ]
      : []),
    ...(load.all_busy > 0
      ? [
          `all workers of pool ${name} were busy ${times(load.all_busy)} since the start${queue === null ? "" : `; at most ${number(queue.most)} waited`}`,
        ]
      : []),
    ...(pool.scaling !== "static" && !pool.follows_load
      ? [
          `pool ${name} cannot follow its load: what its workers do cannot be seen, so all of them stay active`,
        ]
      : []),
    ...(background > 0
      ? [
          `${background} ${background === 1 ? "process" : "processes"} that scripts of pool ${name} left in the background`,
        ]
      : []),
  ];
}

function dropLine({ tcp_drops: drops }: Status, paint: Paint): string[] {
  if (drops === null || drops.overflows === 0) return [];
  return [
    paint(
      "bad",
      `the kernel dropped ${drops.overflows} TCP connections at full queues of this machine since the start`,
    ),
  ];
}
