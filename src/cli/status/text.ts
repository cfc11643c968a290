// A Status as text for people: one line for the supervisor, a table of pools, a table of workers.

import type { PoolStatus, Status } from "../../admin/contract.ts";
import { escapeControls } from "../../log/escape.ts";
import { table } from "../table.ts";

export function statusText(status: Status): string {
  const lines = [
    `fcgivisor ${status.version}, process ${status.pid}, ${status.state} for ${age(status.uptime_ms)}, generation ${status.generation}${status.operation === null ? "" : `, ${status.operation} in progress`}`,
    `config ${status.config ?? "from the command line"}, log ${status.log ?? "stderr"}`,
    ...rolledBackLine(status),
    "",
    ...table([
      ["POOL", "STATE", "LISTEN", "WORKERS", "IDLE", "BUSY", "DRAINING", "QUEUE", "GENERATION"],
      ...status.pools.map(poolRow),
    ]),
  ];
  for (const { name, background } of status.pools)
    if (background > 0)
      lines.push(
        `${background} ${background === 1 ? "process" : "processes"} that scripts of pool ${name} left in the background`,
      );
  const workers = status.pools.flatMap(workerRows);
  if (workers.length > 0) {
    lines.push(
      "",
      ...table([["WORKER", "POOL", "STATE", "GENERATION", "AGE", "MEMORY", "REQUEST"], ...workers]),
    );
  }
  return lines.join("\n");
}

function rolledBackLine({ rolled_back: back }: Status): string[] {
  if (back === null) return [];
  const why = back.why === null ? "" : `, because ${escapeControls(back.why)}`;
  return [
    `gone back to the config of generation ${back.to}${why}; the files say otherwise: \`fcgivisor reload\` takes them on`,
  ];
}

function poolRow(pool: PoolStatus): string[] {
  const { wanted, idle, busy, unknown, draining } = pool.workers;
  // Where workers cannot be seen, a number would be a guess.
  const seen = (count: number) => (unknown > 0 ? "?" : String(count));
  return [
    pool.name,
    pool.failures > 0 ? `${pool.state} (failed ${pool.failures}x)` : pool.state,
    pool.listen,
    String(wanted),
    seen(idle),
    seen(busy),
    String(draining),
    pool.queue === null ? "?" : `${pool.queue.length}/${pool.queue.limit}`,
    String(pool.generation),
  ];
}

function workerRows(pool: PoolStatus): string[][] {
  return pool.groups.flatMap((group) =>
    group.workers.map((worker) => [
      String(worker.pid),
      pool.name,
      group.draining === null
        ? worker.state
        : `draining, ${age(group.draining.age_ms)} of at most ${age(group.draining.age_ms + group.draining.left_ms)}`,
      String(group.generation),
      age(group.uptime_ms),
      worker.rss_bytes === null ? "?" : `${Math.round(worker.rss_bytes / 1024 / 1024)} MB`,
      worker.request === null
        ? ""
        : `${worker.request.method} ${worker.request.uri || worker.request.script}`,
    ]),
  );
}

function age(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const hours = Math.floor(seconds / 3600);
  return hours < 48
    ? `${hours} h ${Math.floor((seconds % 3600) / 60)} min`
    : `${Math.floor(hours / 24)} d`;
}
