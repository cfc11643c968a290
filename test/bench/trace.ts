// `bun run bench:trace`: what `trace --top` takes. Workers of php-cgi that are busy all the time, some twenty
// functions deep; the CPU time of the supervisor while their stacks are sampled is compared with what it takes
// before. Prints Markdown; what was not reached ends it with 1.

import { readFileSync } from "node:fs";
import { request } from "node:http";
import { fcgi } from "../helper/fcgi.ts";
import { BINARY } from "../helper/program.ts";
import { eventually } from "../helper/wait.ts";
import { USER } from "./contender.ts";
import { cpuMsOf } from "./cpu.ts";
import { findPhpCgi, installMissing } from "./programs.ts";
import { endStages, setStage, type Stage } from "./stage.ts";
import { markdown } from "./table.ts";

const SECONDS = 8;
const WORKERS = [1, 8, 32] as const;
/** Of one core, with eight workers. */
const WANTED = 0.03;

/** Deep, in functions that are called all the time, and asleep for most of it: the cores are for the others. */
const SCRIPT = `<?php
class Model { function load($i) { usleep(5000); return $this->map([$i, $i + 1]); } function map($a) { return array_map(fn ($x) => $x * 2, $a); } }
function down($n, $m) { if ($n > 0) return down($n - 1, $m); $sum = 0; for ($i = 0; $i < 40; $i++) { $sum += array_sum($m->load($i)); } return $sum; }
set_time_limit(0);
while (!file_exists(__DIR__ . "/end")) { down(16, new Model); clearstatcache(); }
echo "done";
`;

interface Figure {
  readonly workers: number;
  /** Shares of a core. */
  readonly before: number;
  readonly sampling: number;
  /** Stacks a second that were read. */
  readonly samples: number;
}

installMissing();
try {
  const figures: Figure[] = [];
  for (const workers of WORKERS) figures.push(await onStage((stage) => measure(stage, workers)));
  process.stdout.write(`${text(figures)}\n`);
  const eight = figures.find(({ workers }) => workers === 8)!;
  process.exitCode = cost(eight) <= WANTED ? 0 : 1;
} finally {
  await endStages();
}

async function onStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = await setStage();
  try {
    return await work(stage);
  } finally {
    await stage.end();
  }
}

async function measure(stage: Stage, workers: number): Promise<Figure> {
  const config = stage.write("fcgivisor.toml", configText(stage, workers));
  const start = await stage.command([BINARY, "start", "-c", config]);
  if (start.code !== 0) throw new Error(start.stderr);
  const pid = Number(readFileSync(stage.path("run/fcgivisor.pid"), "utf8"));
  const script = stage.write("www/deep.php", SCRIPT);
  const answers = Array.from({ length: workers }, () =>
    fcgi(stage.where, { script, timeout: 120_000 }),
  );
  await eventually(async () => (await status(stage)).busy === workers, { what: "all are busy" });
  const before = await share(pid, () => Bun.sleep(SECONDS * 1000));
  let samples = 0;
  const sampling = await share(pid, async () => {
    const words = ["trace", "www", "--top", "--json", "--for", `${SECONDS}s`, "-c", config];
    const { stdout } = await stage.command([BINARY, ...words]);
    samples = (JSON.parse(stdout) as { samples: number }).samples / SECONDS;
  });
  stage.write("www/end", "");
  await Promise.all(answers);
  await stage.command([BINARY, "quit", "-c", config]);
  return { workers, before, sampling, samples };
}

async function share(pid: number, work: () => Promise<unknown>): Promise<number> {
  const [since, cpu] = [performance.now(), cpuMsOf(pid)];
  await work();
  return (cpuMsOf(pid) - cpu) / (performance.now() - since);
}

function cost({ before, sampling }: Figure): number {
  return sampling - before;
}

async function status(stage: Stage): Promise<{ busy: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socketPath = stage.path("run/admin.sock");
  request({ socketPath, path: "/v1/status" }, (answer) => {
    let body = "";
    answer.on("data", (chunk) => (body += chunk)).on("end", () => resolve(body));
  })
    .on("error", reject)
    .end();
  return (JSON.parse(await promise) as { pools: { workers: { busy: number } }[] }).pools[0]!
    .workers;
}

function configText(stage: Stage, workers: number): string {
  return [
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
  ].join("\n");
}

function text(figures: readonly Figure[]): string {
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
  const head = [
    "busy workers",
    "stacks a second",
    "supervisor before",
    "while sampling",
    "cost",
    "wanted",
  ];
  const cells = figures.map((figure) => [
    String(figure.workers),
    figure.samples.toFixed(0),
    percent(figure.before),
    percent(figure.sampling),
    percent(cost(figure)),
    figure.workers === 8 ? `${percent(WANTED)}: ${cost(figure) <= WANTED ? "yes" : "**no**"}` : "-",
  ]);
  return markdown(head, cells, () => true);
}
