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
      [
        ...["POOL", "STATE", "LISTEN", "WORKERS", "IDLE", "BUSY", "PARKED"],
        ...["DRAINING", "QUEUE", "GENERATION"],
      ],
      ...status.pools.map(poolRow),
    ]),
  ];
  for (const { name, scaling, follows_load } of status.pools)
    if (scaling !== "static" && !follows_load)
      lines.push(
        `pool ${name} cannot follow its load: what its workers do cannot be seen, so all of them stay active`,
      );
  for (const { name, background } of status.pools)
    if (background > 0)
      lines.push(
        `${background} ${background === 1 ? "process" : "processes"} that scripts of pool ${name} left in the background`,
      );
  lines.push(...status.pools.flatMap(fullLine), ...dropLine(status));
  const workers = [["WORKER", "POOL", "STATE", "GENERATION", "AGE", "MEMORY", "REQUEST"]];
  for (const pool of status.pools) workers.push(...workerRows(pool));
  if (workers.length > 1) lines.push("", ...table(workers));
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
  const { wanted, idle, busy, parked, unknown, draining } = pool.workers;
  // Where workers cannot be seen, a number would be a guess.
  const seen = (count: number) => (unknown > 0 ? "?" : String(count));
  return [
    pool.name,
    pool.failures > 0 ? `${pool.state} (failed ${pool.failures}x)` : pool.state,
    pool.listen,
    String(wanted),
    seen(idle),
    seen(busy),
    String(parked),
    String(draining),
    pool.queue === null ? "?" : `${pool.queue.length}/${pool.queue.limit}`,
    String(pool.generation),
  ];
}

function fullLine({ name, queue }: PoolStatus): string[] {
  if (queue === null || queue.full === 0) return [];
  return [
    `the queue of pool ${name} was full ${queue.full === 1 ? "once" : `${queue.full} times`} (limit ${queue.limit})`,
  ];
}

function dropLine({ tcp_drops: drops }: Status): string[] {
  if (drops === null || drops.overflows === 0) return [];
  return [
    `the kernel dropped ${drops.overflows} TCP connections at full queues of this machine since the start`,
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
