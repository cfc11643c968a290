// `bun run bench:scaling`: pools that follow their load, beside php-fpm's in the same run: bursts, an
// application of 400 files after a quiet minute, memory, a steady load, and what the supervisor costs.
// Prints Markdown; what was not reached ends it with 1.

import { readFileSync } from "node:fs";
import { fcgi } from "../helper/fcgi.ts";
import { stoppedAt } from "../helper/parked.ts";
import { childrenOf, leadersAt, pssOf, workersAt } from "../helper/processes.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { eventually } from "../helper/wait.ts";
import { cpuMsOf } from "./cpu.ts";
import { configure } from "./contender-fcgivisor.ts";
import { BACKLOG, USER } from "./contender.ts";
import { median } from "./figures.ts";
import { findPhpCgi, findPhpFpm, installMissing, versionOf } from "./programs.ts";
import { endStages, setStage, type Stage } from "./stage.ts";
import { markdown } from "./table.ts";

const MOST = 50;
const FILES = 400;
const QUIET_MS = 60_000;
const STEADY_MS = 8_000;
const LOADED_MS = 10_000;
const TIMES = 3;

interface Figure {
  readonly what: string;
  readonly ours: string;
  readonly phpFpm: string;
  readonly wanted: string;
  readonly reached: boolean | null;
}

/** One program that serves at a stage. */
interface Server {
  readonly stage: Stage;
  readonly pids: () => number[];
  readonly manager: number;
}

type Start = (stage: Stage) => Promise<Server>;

// ---------------------------------------------------------------- the programs

const SPARES = { start: 2, least: 1, most: 3 };

/** Parked again after a second, so that one burst after the other meets the same pool. */
const dynamic: Start = (stage) =>
  ours(
    stage,
    `scaling = "dynamic"\nstart_workers = ${SPARES.start}\nmin_spare = ${SPARES.least}\nmax_spare = ${SPARES.most}\nidle_timeout = "1s"`,
  );
const quiet: Start = (stage) =>
  ours(
    stage,
    `scaling = "dynamic"\nstart_workers = ${SPARES.start}\nmin_spare = ${SPARES.least}\nmax_spare = ${SPARES.most}`,
  );
const atRest: Start = async (stage) => {
  const lines = 'scaling = "ondemand"\nidle_timeout = "1s"\nrest_timeout = "0s"';
  const server = await ours(stage, lines);
  await eventually(() => workersAt(stage.where).length === 0, { what: "it is at rest" });
  return server;
};
const staticPool =
  (workers: number): Start =>
  (stage) =>
    ours(stage, "", workers);

async function ours(stage: Stage, lines: string, workers = MOST): Promise<Server> {
  const config = configure(stage, workers, findPhpCgi(), lines);
  const outcome = await stage.command([BINARY, "start", "-c", config]);
  if (outcome.code !== 0) throw new Error(`fcgivisor did not start: ${outcome.stderr}`);
  const manager = Number(textOf(stage.path("run/fcgivisor.pid")));
  const pids = () => [...workersAt(stage.where), ...leadersAt(stage.where)];
  return { stage, manager, pids };
}

const fpmDynamic: Start = (stage) =>
  phpFpm(
    stage,
    `pm = dynamic\npm.start_servers = ${SPARES.start}\npm.min_spare_servers = ${SPARES.least}\npm.max_spare_servers = ${SPARES.most}`,
  );
const fpmOndemand: Start = (stage) => phpFpm(stage, "pm = ondemand");

async function phpFpm(stage: Stage, lines: string): Promise<Server> {
  const config = stage.write(
    "php-fpm.conf",
    `[global]
pid = ${stage.path("php-fpm.pid")}
error_log = ${stage.path("php-fpm.log")}
daemonize = yes
[www]
listen = ${stage.listen}
listen.backlog = ${BACKLOG}
listen.mode = 0666
${USER === null ? "" : `user = ${USER}\ngroup = ${USER}`}
pm.max_children = ${MOST}
${lines}
`,
  );
  const outcome = await stage.command([findPhpFpm(), "-y", config]);
  if (outcome.code !== 0) throw new Error(`php-fpm did not start: ${outcome.stderr}`);
  const manager = Number(textOf(stage.path("php-fpm.pid")));
  return { stage, manager, pids: () => [manager, ...childrenOf(manager)] };
}

// ---------------------------------------------------------------- bursts

async function bursts(): Promise<Figure[]> {
  const [grown, slow, bare] = [
    await fresh(fpmDynamic, 40, 1000),
    await fresh(fpmOndemand, 40, 1000),
    await bareStart(),
  ];
  const [ours, rested] = [await again(dynamic, 40, 1000), await again(atRest, 40, 1000)];
  const [short, shortFpm] = [await again(dynamic, 20, 200), await fresh(fpmDynamic, 20, 200)];
  const died = await orphaned(40, 1000);
  const shortStatic = await again(staticPool(MOST), 20, 200);
  return [
    figure("40 x 1 s at once, dynamic 2 to 50", ours, grown, 1250, "1.25 s"),
    figure(
      "40 x 1 s at once, ondemand, at rest before",
      rested,
      slow,
      1350 + bare,
      `1.35 s + a program start (${ms(bare)})`,
    ),
    {
      what: "the first of these, the supervisor killed in the middle of it",
      ...{ ours: ms(died), phpFpm: "-", wanted: `<= 1.2 x alive (${ms(ours)})` },
      reached: died <= 1.2 * ours,
    },
    figure(
      "20 x 200 ms at once, dynamic 2 to 50",
      short,
      shortFpm,
      1.3 * shortStatic,
      `1.3 x static (${ms(shortStatic)})`,
    ),
  ];
}

function figure(what: string, ours: number, fpm: number, most: number, wanted: string): Figure {
  return { what, ours: ms(ours), phpFpm: ms(fpm), wanted: `<= ${wanted}`, reached: ours <= most };
}

/** The first burst of a program that has just started. */
function fresh(start: Start, count: number, each: number): Promise<number> {
  return on(start, ({ stage }) => burst(stage, "slow.php", count, each));
}

/** A burst whose supervisor dies by kill -9 as soon as it has begun: most are parked then. */
function orphaned(count: number, each: number): Promise<number> {
  return on(dynamic, async ({ stage, manager }) => {
    const spot = { where: stage.where, listen: stage.listen };
    await eventually(() => stoppedAt(spot).length >= MOST - SPARES.most, {
      what: "most are parked",
    });
    const taken = burst(stage, "slow.php", count, each);
    process.kill(manager, "SIGKILL");
    return taken;
  });
}

/** The median of several, each as soon as the pool is as it was before the first. */
function again(start: Start, count: number, each: number): Promise<number> {
  return on(start, async ({ stage }) => {
    const spot = { where: stage.where, listen: stage.listen };
    const look = () => `${workersAt(stage.where).length} ${stoppedAt(spot).length}`;
    await Bun.sleep(500);
    const before = look();
    const taken: number[] = [];
    for (let i = 0; i < TIMES; i++) {
      taken.push(await burst(stage, "slow.php", count, each));
      // One spare more or less is the same pool.
      await eventually(() => isLike(look(), before), { what: "the pool is as before" });
    }
    return median(taken);
  });
}

function isLike(now: string, before: string): boolean {
  const [a, b] = [now, before].map((text) => text.split(" ").map(Number));
  return a!.every((count, i) => Math.abs(count - b![i]!) <= SPARES.most);
}

async function burst(stage: Stage, script: string, count: number, each = 0): Promise<number> {
  const began = performance.now();
  await Promise.all(
    Array.from({ length: count }, async () => {
      const request = { script: stage.path("www", script), query: `ms=${each}`, timeout: 60_000 };
      const { status } = await fcgi(stage.where, request);
      if (status !== 200) throw new Error(`status ${status}`);
    }),
  );
  return performance.now() - began;
}

async function bareStart(): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < 5; i++) {
    const began = performance.now();
    await Bun.spawn([findPhpCgi(), "-v"], { stdio: ["ignore", "ignore", "ignore"] }).exited;
    taken.push(performance.now() - began);
  }
  return median(taken);
}

// ---------------------------------------------------------------- an application

async function application(): Promise<Figure[]> {
  const [mine, fpm] = [await afterQuiet(quiet), await afterQuiet(fpmDynamic)];
  return [
    {
      what: `an application of ${FILES} files, 40 requests at once after a quiet minute (grown once before)`,
      ...{ ours: ms(mine.ms), phpFpm: ms(fpm.ms), wanted: "<= 0.25 x php-fpm" },
      reached: mine.ms <= 0.25 * fpm.ms,
    },
    {
      what: "memory (PSS) before that",
      ...{ ours: `${mine.mb} MB`, phpFpm: `${fpm.mb} MB`, wanted: "<= php-fpm" },
      reached: mine.mb <= fpm.mb,
    },
  ];
}

function afterQuiet(start: Start): Promise<{ readonly ms: number; readonly mb: number }> {
  return on(start, async ({ stage, pids }) => {
    writeApplication(stage);
    // All of them at work at the same time, so that the pool has grown; then each has met the application.
    await burst(stage, "slow.php", 40, 1000);
    await burst(stage, "application.php", 40);
    await burst(stage, "application.php", 40);
    await Bun.sleep(QUIET_MS);
    const mb = Math.round(pids().reduce((sum, pid) => sum + pssOf(pid), 0) / 1024);
    return { mb, ms: await burst(stage, "application.php", 40) };
  });
}

function writeApplication(stage: Stage): void {
  const names = Array.from({ length: FILES }, (_, i) => `C${i}`);
  for (const name of names) {
    const methods = Array.from(
      { length: 12 },
      (_, i) =>
        `function m${i}($a) { return array_map(fn($x) => $x + ${i}, [$a, "${name}" => ${i}]); }`,
    );
    stage.write(`www/app/${name}.php`, `<?php\nclass ${name} {\n${methods.join("\n")}\n}\n`);
  }
  const includes = names.map((name) => `require __DIR__ . "/app/${name}.php"; new ${name}();`);
  stage.write("www/application.php", `<?php\n${includes.join("\n")}\necho "done";\n`);
}

// ---------------------------------------------------------------- a steady load

/** Turns of both, so that they meet the same machine. */
async function steady(): Promise<Figure> {
  const four: Start = (stage) =>
    ours(stage, 'scaling = "dynamic"\nstart_workers = 4\nmin_spare = 1\nmax_spare = 4');
  const rates: number[] = [];
  const tails: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const [fixed, parked] = [await on(staticPool(4), constant), await on(four, constant)];
    rates.push(parked.perSecond / fixed.perSecond);
    tails.push(parked.p99 / fixed.p99);
  }
  const [rate, tail] = [median(rates), median(tails)];
  return {
    what: "steady load of 3 clients, 4 active of 50, beside a static pool of 4",
    ours: `${rate.toFixed(2)} x requests/s, ${tail.toFixed(2)} x p99`,
    ...{ phpFpm: "-", wanted: ">= 0.97 x, <= 1.03 x", reached: rate >= 0.97 && tail <= 1.03 },
  };
}

async function constant({ stage }: Server) {
  await Bun.sleep(500);
  const end = performance.now() + STEADY_MS;
  const taken: number[] = [];
  const client = async () => {
    while (performance.now() < end) {
      const began = performance.now();
      await fcgi(stage.where, { script: stage.script("hello.php"), timeout: 30_000 });
      taken.push(performance.now() - began);
    }
  };
  await Promise.all([client(), client(), client()]);
  taken.sort((a, b) => a - b);
  return {
    perSecond: (taken.length * 1000) / STEADY_MS,
    p99: taken[Math.floor(taken.length * 0.99)]!,
  };
}

// ---------------------------------------------------------------- the supervisor

async function loaded(): Promise<Figure> {
  const share = await on(
    (stage) => ours(stage, 'scaling = "dynamic"\nmin_spare = 1\nmax_spare = 4', 100),
    async ({ stage, manager }) => {
      const over = performance.now() + LOADED_MS + 3000;
      const client = async () => {
        while (performance.now() < over) await burst(stage, "slow.php", 1, 100);
      };
      const clients = Promise.all(Array.from({ length: 110 }, client));
      await Bun.sleep(2000);
      const before = cpuMsOf(manager);
      await Bun.sleep(LOADED_MS);
      const used = cpuMsOf(manager) - before;
      await clients;
      return used / LOADED_MS;
    },
  );
  return {
    what: "CPU of the supervisor, a dynamic pool of 100 under full load",
    ours: `${(share * 100).toFixed(1)} %`,
    ...{ phpFpm: "-", wanted: "<= 1 %", reached: share <= 0.01 },
  };
}

// ---------------------------------------------------------------- around

async function on<T>(start: Start, work: (server: Server) => Promise<T>): Promise<T> {
  const stage = await setStage();
  try {
    return await work(await start(stage));
  } finally {
    await stage.end();
  }
}

function ms(value: number): string {
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(2)} s`;
}

function text(figures: readonly Figure[]): string {
  const head = ["case", "fcgivisor", "php-fpm", "to reach", "reached"];
  const cells = figures.map(({ what, ours, phpFpm, wanted, reached }) => [
    ...[what, ours, phpFpm, wanted],
    reached === null ? "-" : reached ? "yes" : "**no**",
  ]);
  const load = readFileSync("/proc/loadavg", "utf8").split(" ")[0]!;
  return `${markdown(head, cells, (column) => column === 1 || column === 2)}\n\nLoad of the machine at the end: ${load}`;
}

installMissing();
try {
  const figures = [...(await bursts()), ...(await application()), await steady(), await loaded()];
  const php = versionOf(findPhpCgi());
  process.stdout.write(`PHP ${php}, ${MOST} workers at most\n\n${text(figures)}\n`);
  process.exitCode = figures.some(({ reached }) => reached === false) ? 1 : 0;
} finally {
  await endStages();
}
