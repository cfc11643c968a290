// One frame of the watch: what there is to see, in exactly so many lines of at most so many columns. Pure.

import type { PoolStatus, Status } from "../../../admin/contract.ts";
import { escapeControls } from "../../../log/escape.ts";
import type { TerminalSize } from "../../../sys/terminal.ts";
import type { Paint } from "../../paint.ts";
import { type Doing, requestRows } from "../requests.ts";
import { type Cell, cutTo, pad, table } from "../../table.ts";
import { rateText, stateCell } from "../text.ts";
import { age, megabytes, number } from "../units.ts";
import { bar, type Glyphs, type Shares, sparkline } from "./graph.ts";
import { type Action, inOrder, signed, type View } from "./view.ts";

export interface Scene {
  readonly status: Status;
  /** Of the requests that are shown; null where it is not told. */
  readonly doing: Doing | null;
  /** Sentences of the log, with their times, the last one last. */
  readonly events: readonly string[];
  /** Why there is nothing newer; null = it is as it is now. */
  readonly trouble: string | null;
}

export interface Canvas extends TerminalSize {
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

const KEYS = "q quit  up/down pool  a all  s sort  r reload  + - scale  p pause/resume";

/** Lines without their ends; each fits. */
export function frame(
  { status, doing, events, trouble }: Scene,
  view: View,
  canvas: Canvas,
): string[] {
  const { rows, columns } = canvas;
  const pools = inOrder(status.pools, view.order);
  const shown = view.pool === null ? pools : pools.filter(({ name }) => name === view.pool);
  const head = headLine(status, trouble, view, canvas);
  const foot = footLine(view, canvas);
  // Half of what is left for the pools, then what requests need, then events.
  const room = Math.max(0, rows - 2);
  const poolLines = firstOf(
    poolTable(pools, view, canvas),
    Math.max(3, Math.floor(room / 2)),
    canvas,
  );
  // What can be read in `trace` in full goes first.
  const cut = doing === null ? [3, 2] : [4, 3, 2];
  const requestLines = firstOf(
    ["", ...table(requestRows(shown, doing), { width: columns, cut, paint: canvas.paint })],
    Math.max(4, Math.floor((room - poolLines.length) / 2)),
    canvas,
  );
  const left = room - poolLines.length - requestLines.length;
  const eventLines = left < 3 ? [] : lastEvents(events, left, canvas);
  const body = [...poolLines, ...requestLines, ...eventLines].slice(0, room);
  const blank = Array.from({ length: room - body.length }, () => "");
  return [head, ...body, ...blank, foot].slice(-rows);
}

function headLine(status: Status, trouble: string | null, view: View, canvas: Canvas): string {
  const { version, pid, state, uptime_ms, generation, operation } = status;
  const text =
    trouble ??
    `fcgivisor ${version}, process ${number(pid)}, ${state} for ${age(uptime_ms)}, generation ${number(generation)}${operation === null ? "" : `, ${operation} in progress`}, sorted by ${view.order}`;
  const line = cutTo(escapeControls(text), canvas.columns);
  return canvas.paint(trouble === null ? "strong" : "bad", line);
}

function footLine({ asks, told, pool }: View, { columns, paint }: Canvas): string {
  const what = pool === null ? "all pools" : `pool ${pool}`;
  if (asks !== null)
    return paint("warn", cutTo(`${question(asks, what)}, any other key for no`, columns));
  return paint("dim", cutTo(escapeControls(told ?? KEYS), columns));
}

function question(asks: Action, what: string): string {
  if (asks.do !== "scale") return `${asks.do} ${what}? y for yes`;
  return `scale ${what} by ${signed(asks.by)}? y for yes, + and - for another number`;
}

function poolTable(pools: readonly PoolStatus[], view: View, canvas: Canvas): string[] {
  const { columns, glyphs, paint } = canvas;
  // What is left beside the names and numbers goes to the two graphs.
  const graph = Math.max(6, Math.min(60, Math.floor((columns - 56) / 2)));
  const hasParked = pools.some(({ workers }) => workers.parked > 0);
  const isCounted = pools.some(({ load }) => load.requests_per_second !== null);
  const rows = pools.map((pool): Cell[] => {
    const { workers, queue, load, memory } = pool;
    const isFull = workers.busy > 0 && workers.busy >= workers.wanted;
    const busy = workers.unknown > 0 ? "?" : number(workers.busy);
    return [
      `${pool.name === view.pool ? ">" : " "} ${pool.name}`,
      stateCell(pool),
      {
        text: bar(sharesOf(workers), graph, glyphs),
        tone: isFull ? "bad" : "good",
      },
      `${busy}/${number(workers.wanted)}`,
      { text: sparkline(load.queue_recent, graph, glyphs), tone: "warn" },
      queue === null ? "?" : number(queue.length),
      ...(isCounted ? [rateText(pool)] : []),
      `${number(load.cpu_percent)}%`,
      megabytes(memory.pss_bytes),
      ...(hasParked ? [number(workers.parked)] : []),
    ];
  });
  const head = [
    "  POOL",
    "STATE",
    "BUSY",
    "",
    "QUEUE",
    "",
    ...(isCounted ? ["REQ/S"] : []),
    "CPU",
    "MEMORY",
  ];
  if (hasParked) head.push("PARKED");
  return table([head, ...rows], { width: columns, cut: [0, 2, 4], paint });
}

function sharesOf({ busy, parked, wanted }: PoolStatus["workers"]): Shares {
  const share = (count: number) => (wanted > 0 && count > 0 ? count / wanted : 0);
  return { busy: share(busy), parked: share(parked) };
}

/** That there are more is said in the last line. */
function firstOf(lines: readonly string[], most: number, { paint }: Canvas): string[] {
  if (lines.length <= most) return [...lines];
  const shown = lines.slice(0, most - 1);
  return [...shown, paint("dim", `… ${lines.length - shown.length} more`)];
}

function lastEvents(
  events: readonly string[],
  lines: number,
  { columns, paint }: Canvas,
): string[] {
  const shown = events.slice(-(lines - 2)).map((text) => cutTo(escapeControls(text), columns));
  return ["", paint("dim", pad("LAST EVENTS", 11)), ...shown];
}
