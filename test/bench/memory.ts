// `bun run bench:memory`: what a supervisor and its PHP keep in memory, as the sum of what is a process's own and its
// share of what several have (PSS): php-fpm alone, under fcgivisor, and php-cgi under fcgivisor. Each runs
// copies of its programs and their libraries, so that nothing else on the machine shares them. Prints Markdown.

import { copyFileSync, mkdirSync } from "node:fs";
import { basename } from "node:path";
import { fcgi } from "../helper/fcgi.ts";
import { leftoverPids } from "../helper/leftovers.ts";
import { pssOf, workersAt } from "../helper/processes.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { eventually } from "../helper/wait.ts";
import { USER } from "./contender.ts";
import { findPhpCgi, findPhpFpm, installMissing } from "./programs.ts";
import { endStages, setStage, type Stage } from "./stage.ts";
import { markdown } from "./table.ts";

interface Case {
  readonly what: string;
  readonly pools: number;
  /** Of each pool; when it comes and goes with the load, at most. */
  readonly workers: number;
  readonly onDemand: boolean;
}

const CASES: readonly Case[] = [
  { what: "one pool of 10", pools: 1, workers: 10, onDemand: false },
  { what: "40 pools of 2", pools: 40, workers: 2, onDemand: false },
  { what: "40 pools on demand, at rest", pools: 40, workers: 2, onDemand: true },
];

interface Program {
  readonly name: string;
  /** Writes its config and starts it. */
  readonly start: (stage: Stage, wanted: Case) => Promise<void>;
  readonly pidFile: string;
}

const PROGRAMS: readonly Program[] = [
  { name: "php-fpm alone", start: phpFpm, pidFile: "php-fpm.pid" },
  under("php-fpm", findPhpFpm),
  under("php-cgi", findPhpCgi),
];

/** What an operation took up is given back a moment after it. */
const SETTLE_MS = 3_000;

/** kB. */
interface Memory {
  readonly processes: number;
  readonly supervisor: number;
  /** Of that, what is no file's: the rest is given back when memory is short. */
  readonly anonymous: number;
  readonly php: number;
}

interface Figure {
  readonly fresh: Memory;
  /** When each worker has served; null where there is none. */
  readonly served: Memory | null;
}

installMissing();
try {
  const rows: string[][] = [];
  for (const wanted of CASES) {
    const figures: Figure[] = [];
    for (const program of PROGRAMS) figures.push(await measure(wanted, program));
    figures.forEach((figure, i) => {
      rows.push([i === 0 ? wanted.what : "", PROGRAMS[i]!.name, ...cells(figure, figures[0]!)]);
    });
  }
  const head = ["case", "program", "processes", "supervisor MB", "anonymous", "PHP MB", "all MB"];
  const all = [...head, "each has served", "to php-fpm"];
  process.stdout.write(`${markdown(all, rows, (column) => column > 1)}\n`);
} finally {
  await endStages();
}

function cells({ fresh, served }: Figure, base: Figure): string[] {
  const mb = (kb: number) => (kb / 1024).toFixed(1);
  const last = (figure: Figure) => allOf(figure.served ?? figure.fresh);
  return [
    String(fresh.processes),
    ...[fresh.supervisor, fresh.anonymous, fresh.php, allOf(fresh)].map(mb),
    served === null ? "-" : mb(allOf(served)),
    (last({ fresh, served }) / last(base)).toFixed(2),
  ];
}

function allOf({ supervisor, php }: Memory): number {
  return supervisor + php;
}

async function measure(wanted: Case, program: Program): Promise<Figure> {
  const stage = await setStage();
  try {
    await program.start(stage, wanted);
    const supervisor = () => Number(textOf(stage.path(program.pidFile)));
    const isThere = () => hasItsWorkers(stage, wanted, supervisor());
    await eventually(isThere, { what: `${program.name} has its workers` });
    const fresh = await memoryOf(stage, supervisor());
    if (wanted.onDemand) return { fresh, served: null };
    const paths = sockets(stage, wanted);
    const script = stage.write("www/pid.php", "<?php echo getmypid();\n");
    for (const path of paths) await askAll(path, script, wanted.workers);
    const served = await memoryOf(stage, supervisor());
    const opcache = await fcgi({ path: paths[0]! }, { script: stage.path("www/opcache.php") });
    if (opcache.body !== "on") throw new Error(`${program.name}: OPcache is ${opcache.body}`);
    return { fresh, served };
  } finally {
    await stage.end();
  }
}

function hasItsWorkers(stage: Stage, wanted: Case, supervisor: number): boolean {
  // A php-fpm without workers holds the sockets itself.
  const count = (path: string) => workersAt({ path }).filter((pid) => pid !== supervisor).length;
  const workers = wanted.onDemand ? 0 : wanted.workers;
  return sockets(stage, wanted).every((path) => count(path) === workers);
}

async function askAll(path: string, script: string, workers: number): Promise<void> {
  const seen = new Set<string>();
  const ask = async () => {
    seen.add((await fcgi({ path }, { script })).body);
    return seen.size >= workers;
  };
  await eventually(ask, { every: 1, what: "each worker has served" });
}

async function memoryOf(stage: Stage, supervisor: number): Promise<Memory> {
  await Bun.sleep(SETTLE_MS);
  const pids = leftoverPids(stage.dir, []);
  if (!pids.includes(supervisor)) throw new Error("the supervisor is gone");
  const others = pids.filter((pid) => pid !== supervisor);
  const php = others.reduce((sum, pid) => sum + pssOf(pid), 0);
  const anonymous = pssOf(supervisor, "Pss_Anon");
  return { processes: pids.length, supervisor: pssOf(supervisor), anonymous, php };
}

function sockets(stage: Stage, { pools }: Case): string[] {
  return Array.from({ length: pools }, (_, i) => stage.path(`p${i}.sock`));
}

/** The path of a copy, its libraries copied beside it. */
function copyOf(stage: Stage, program: string): string {
  const copy = (file: string) => {
    const own = stage.path("own", basename(file));
    copyFileSync(file, own);
    return own;
  };
  mkdirSync(stage.path("own"), { recursive: true });
  const { stdout } = Bun.spawnSync(["ldd", program], { stdin: "ignore" });
  for (const [, library] of stdout.toString().matchAll(/ => (\S+) /g)) copy(library!);
  return copy(program);
}

function withLibraries(stage: Stage, command: readonly string[]): string[] {
  return ["env", `LD_LIBRARY_PATH=${stage.path("own")}`, ...command];
}

/** In front, as Debian's unit has it: what it has touched before it goes into the background is counted with nobody. */
async function phpFpm(stage: Stage, wanted: Case): Promise<void> {
  const pools = sockets(stage, wanted).map((path, i) =>
    [
      `[p${i}]`,
      `listen = ${path}`,
      "listen.mode = 0666",
      ...(USER === null ? [] : [`user = ${USER}`, `group = ${USER}`]),
      `pm = ${wanted.onDemand ? "ondemand" : "static"}`,
      `pm.max_children = ${wanted.workers}`,
    ].join("\n"),
  );
  const global = `[global]\npid = ${stage.path("php-fpm.pid")}\nerror_log = ${stage.path("fpm.log")}\n`;
  const config = stage.write("php-fpm.conf", `${global}${pools.join("\n")}\n`);
  stage.spawn(withLibraries(stage, [copyOf(stage, findPhpFpm()), "-F", "-y", config]));
}

function under(runtime: string, find: () => string): Program {
  const start = async (stage: Stage, wanted: Case): Promise<void> => {
    const program = copyOf(stage, find());
    const pools = sockets(stage, wanted).map((path, i) =>
      [
        `[pools.p${i}]`,
        `listen = { address = "${path}", mode = "0666" }`,
        `command = ["${program}"]`,
        `runtime = "${runtime}"`,
        // Their rest comes after ten minutes unless they are told otherwise.
        ...(wanted.onDemand ? [`scaling = "ondemand"`, `rest_timeout = "1s"`] : []),
        `workers = ${wanted.workers}`,
        `env = { LD_LIBRARY_PATH = "${stage.path("own")}" }`,
        ...(USER === null ? [] : [`user = "${USER}"`]),
      ].join("\n"),
    );
    const top = [
      "[supervisor]",
      `state_dir = "${stage.path("run")}"`,
      `pid_file = "${stage.path("run/fcgivisor.pid")}"`,
      "[log]",
      `file = "${stage.path("fcgivisor.log")}"`,
    ];
    const config = stage.write("fcgivisor.toml", `${[...top, ...pools].join("\n")}\n`);
    const words = withLibraries(stage, [copyOf(stage, BINARY), "start", "-c", config]);
    const outcome = await stage.command(words);
    if (outcome.code !== 0) throw new Error(`start: ${outcome.stderr.slice(0, 500)}`);
  };
  return { name: `fcgivisor, with ${runtime}`, start, pidFile: "run/fcgivisor.pid" };
}
