// `bun run bench:looks`: what it costs the supervisor to look at its workers again and again, idle ones and busy ones,
// as a share of one processor. Prints Markdown; what was not reached ends it with 1.

import { readFileSync } from "node:fs";
import type { Status } from "../../src/admin/contract.ts";
import { fcgi } from "../helper/fcgi.ts";
import { BINARY } from "../helper/program.ts";
import { eventually } from "../helper/wait.ts";
import { USER } from "./contender.ts";
import { cpuMsOf } from "./cpu.ts";
import { findPhpCgi, installMissing } from "./programs.ts";
import { endStages, setStage, type Stage } from "./stage.ts";
import { markdown } from "./table.ts";

const WORKERS = [1, 100, 400] as const;
/** Several looks of the most workers there are. */
const REST_MS = 30_000;
/** Of a processor; wanted for 100 workers and one look a second. */
const MOST = 0.005;

interface Figure {
  readonly workers: number;
  readonly idle: number;
  readonly busy: number;
}

installMissing();
try {
  const figures: Figure[] = [];
  for (const workers of WORKERS) figures.push(await measure(workers));
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
  const rows = figures.map(({ workers, idle, busy }) => [
    String(workers),
    percent(idle),
    percent(busy),
    percent(MOST),
    idle <= MOST ? "yes" : "**no**",
  ]);
  const head = ["workers", "all idle", "all busy", "wanted at most, idle", "reached"];
  process.stdout.write(`${markdown(head, rows, (column) => column < 3)}\n`);
  process.exitCode = figures.some(({ idle }) => idle > MOST) ? 1 : 0;
} finally {
  await endStages();
}

async function measure(workers: number): Promise<Figure> {
  const stage = await setStage();
  try {
    const config = configure(stage, workers);
    const start = await stage.command([BINARY, "start", "-c", config]);
    if (start.code !== 0) throw new Error(`start: ${start.stderr.slice(0, 500)}`);
    const pid = Number(readFileSync(stage.path("run/fcgivisor.pid"), "utf8"));
    const idle = await shareOf(pid);
    const script = stage.write("www/sleep.php", "<?php sleep(900);\n");
    const ask = () => fcgi(stage.where, { script, timeout: 900_000 }).catch(() => {});
    const requests = Array.from({ length: workers }, ask);
    const status = [BINARY, "status", "--json", "-c", config];
    await eventually(
      async () => {
        const { stdout } = await stage.command(status);
        return (JSON.parse(stdout) as Status).pools[0]!.workers.busy >= workers;
      },
      { every: 500, what: "all workers are busy" },
    );
    const busy = await shareOf(pid);
    await stage.command([BINARY, "stop", "-c", config]);
    await Promise.all(requests);
    return { workers, idle, busy };
  } finally {
    await stage.end();
  }
}

/** What it uses, as a share of one processor, once the start is forgotten. */
async function shareOf(pid: number): Promise<number> {
  await Bun.sleep(2000);
  const before = cpuMsOf(pid);
  await Bun.sleep(REST_MS);
  return (cpuMsOf(pid) - before) / REST_MS;
}

function configure(stage: Stage, workers: number): string {
  const lines = [
    "[supervisor]",
    `state_dir = "${stage.path("run")}"`,
    `pid_file = "${stage.path("run/fcgivisor.pid")}"`,
    "[log]",
    `file = "${stage.path("fcgivisor.log")}"`,
    "[pools.www]",
    `listen = "${stage.listen}"`,
    `command = ["${findPhpCgi()}"]`,
    `workers = ${workers}`,
    ...(USER === null ? [] : [`user = "${USER}"`]),
  ];
  return stage.write("fcgivisor.toml", `${lines.join("\n")}\n`);
}
