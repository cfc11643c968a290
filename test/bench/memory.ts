// `bun run bench:memory`: what a supervisor and its PHP keep in memory, as the sum of what is a process's own and its
// share of what several have (PSS): php-fpm alone, under fcgivisor, and php-cgi under fcgivisor. Each runs
// copies of its programs and their libraries, so that nothing else on the machine shares them. Prints Markdown.

import { fcgi } from "../helper/fcgi.ts";
import { leftoverPids } from "../helper/leftovers.ts";
import { pssOf, workersAt } from "../helper/processes.ts";
import { textOf } from "../helper/program.ts";
import { eventually } from "../helper/wait.ts";
import { type Case, type Program, PROGRAMS, sockets } from "./memory-programs.ts";
import { installMissing } from "./programs.ts";
import { endStages, setStage, type Stage } from "./stage.ts";
import { markdown } from "./table.ts";

const CASES: readonly Case[] = [
  { what: "one pool of 10", pools: 1, workers: 10, onDemand: false },
  { what: "40 pools of 2", pools: 40, workers: 2, onDemand: false },
  { what: "40 pools on demand, at rest", pools: 40, workers: 2, onDemand: true },
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
