// Advice as text: the answer first, then the figures it comes from, then the line to paste.

import type { AdviceStatus, PoolAdvice } from "../../admin/contract.ts";
import { count } from "../../log/words.ts";
import { megabytes, times } from "../status/units.ts";

const LABEL = 12;
const HOURS_SHOWN = 24;

export function adviceText({ pools, ...machine }: AdviceStatus): string {
  return pools.map((pool) => poolLines(pool, machine).join("\n")).join("\n\n");
}

type Machine = Omit<AdviceStatus, "pools">;

function poolLines(pool: PoolAdvice, machine: Machine): string[] {
  const line = (label: string, text: string) => `  ${label.padEnd(LABEL)}${text}`;
  const changes = pool.advised !== pool.workers;
  return [
    `pool ${pool.pool}: ${verdictText(pool, machine)}`,
    line("seen", seenText(pool)),
    ...(pool.looks > 0 ? [line("by hour", hoursText(pool))] : []),
    line("memory", memoryText(pool, machine)),
    line("processors", processorText(pool, machine)),
    ...(changes ? [line("to paste", pool.setting)] : []),
  ];
}

function verdictText(pool: PoolAdvice, { processors }: Machine): string {
  const { verdict, workers, advised, wanted, all_busy, looks } = pool;
  const now = count(workers, "worker");
  switch (verdict) {
    case "unknown":
      return `${now}; too little was seen for advice (${count(looks, "look")}): ask again when it has had its usual load`;
    case "enough":
      return all_busy === 0
        ? `${now} are enough: never were all of them busy`
        : `${now} are enough: at most ${wanted} were wanted at once`;
    case "fewer would do":
      return `${advised} would do instead of ${workers}: at most ${wanted} were busy at once`;
    case "more":
      return `${advised} instead of ${workers}: at most ${wanted} were wanted at once, and a quarter more for what was not seen yet`;
    case "memory":
      return `${wanted} were wanted at once, and memory has room for ${pool.room}: ${advised}, or more memory`;
    case "processors":
      return `${now}, and no more: while all were busy the ${count(processors, "processor")} had nothing left to give; look at what the requests do`;
  }
}

function seenText({ looks, busy_most, queue_most, all_busy }: PoolAdvice): string {
  const queue = queue_most === null ? "" : `, at most ${queue_most} waiting`;
  const all = all_busy === 0 ? "never all" : `all ${times(all_busy)}`;
  return `${count(looks, "look")}: at most ${busy_most} busy, ${all}${queue}`;
}

/** Of the last day, by local time, the most that were busy and that waited: `18h 3`, `19h 8+2`. */
function hoursText({ hours }: PoolAdvice): string {
  return hours
    .slice(-HOURS_SHOWN)
    .map(({ at, busy_most, queue_most }) => {
      const hour = String(new Date(Date.parse(at)).getHours()).padStart(2, "0");
      return `${hour}h ${busy_most}${queue_most > 0 ? `+${queue_most}` : ""}`;
    })
    .join(", ");
}

function memoryText({ worker_bytes, room, limit_bytes }: PoolAdvice, machine: Machine): string {
  if (worker_bytes === null) return "what a worker takes was not seen yet, or cannot be seen here";
  const free = machine.free_bytes === null ? "" : `, ${megabytes(machine.free_bytes)} are free`;
  const limit = limit_bytes === null ? "" : `, memory_max is ${megabytes(limit_bytes)}`;
  const has = room === null ? "" : `: room for ${room} in all`;
  return `${megabytes(worker_bytes)} a worker (PSS)${free}${limit}${has}`;
}

function processorText({ all_busy, cpu_percent_all_busy }: PoolAdvice, { processors }: Machine) {
  const used =
    all_busy === 0
      ? ""
      : `; the pool used ${cpu_percent_all_busy}% of one at most while all were busy`;
  return `${processors}${used}`;
}
