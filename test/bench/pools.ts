// `bun run bench:pools`: hundreds of pools of one php-cgi worker each, on Unix sockets. What the words cost
// is compared with what the machine needs for as many bare `php-cgi -v`, as many at a time as it has
// processors, and with php-fpm, which forks all its pools out of one PHP. `--pools N` for another number,
// `--worker fcgiwrap` for one that takes no memory; prints Markdown, and what was not reached ends it with 1.

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { childrenOf, rssOf } from "../helper/processes.ts";
import { findProgram } from "../helper/packages.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { eventually } from "../helper/wait.ts";
import { cpuMsOf } from "./cpu.ts";
import { USER } from "./contender.ts";
import { findPhpCgi, findPhpFpm, installMissing } from "./programs.ts";
import { endStages, setStage, type Stage } from "./stage.ts";
import { markdown } from "./table.ts";

const { values: options } = parseArgs({
  options: {
    pools: { type: "string", default: "400" },
    worker: { type: "string", default: "php-cgi" },
  },
});
const POOLS = Number(options.pools);
const IDLE_MS = 10_000;
/** The longest that one command may take. */
const COMMAND_MS = 5 * 60_000;

interface Figure {
  readonly what: string;
  readonly found: string;
  /** To the bare php-cgi. */
  readonly share: number | null;
  /** In the unit of `share` where that is not null, else of `value`; null = nothing is wanted of it. */
  readonly most: { readonly text: string; readonly reached: boolean } | null;
}

installMissing();
try {
  const all = await onStage(measure);
  process.stdout.write(`${text(all)}\n`);
  process.exitCode = all.some(({ most }) => most?.reached === false) ? 1 : 0;
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

async function measure(stage: Stage): Promise<Figure[]> {
  const bare = await bareStarts();
  const fpm = await phpFpmStart();
  const config = configure(stage);
  const word = async (...words: string[]) => {
    const outcome = await stage.command([BINARY, ...words, "-c", config], COMMAND_MS);
    if (outcome.code !== 0) throw new Error(`${words.join(" ")}: ${outcome.stderr.slice(0, 500)}`);
    return outcome.ms;
  };
  const start = await word("start");
  const pid = Number(readFileSync(stage.path("run/fcgivisor.pid"), "utf8"));
  const reload = await word("reload");
  const upgrade = await word("upgrade");
  await word("status");
  const status = await word("status");
  // What an operation took up is given back a moment after it.
  await Bun.sleep(1000);
  const before = cpuMsOf(pid);
  await Bun.sleep(IDLE_MS);
  const idle = (cpuMsOf(pid) - before) / IDLE_MS;
  const rss = rssOf(pid) / 1024;
  const quit = await word("quit");
  return [
    { what: `${POOLS} bare \`php-cgi -v\``, found: seconds(bare), share: 1, most: null },
    share("start", start, bare, 1.2),
    share("reload of all", reload, bare, 1.4),
    share("upgrade", upgrade, bare, 1.6),
    { what: "php-fpm: start", found: seconds(fpm), share: fpm / bare, most: null },
    limit("quit", seconds(quit), quit <= 1500, "1.5 s"),
    limit("`status`", `${Math.round(status)} ms`, status <= 150, "150 ms"),
    limit("CPU at rest", `${(idle * 100).toFixed(2)} %`, idle <= 0.005, "0.5 %"),
    limit("memory at rest, resident", `${Math.round(rss)} MB`, rss <= 80, "80 MB"),
  ];
}

function share(what: string, ms: number, bare: number, most: number): Figure {
  const value = ms / bare;
  const text = `${most} of the bare starts`;
  return { what, found: seconds(ms), share: value, most: { text, reached: value <= most } };
}

function limit(what: string, found: string, reached: boolean, most: string): Figure {
  return { what, found, share: null, most: { text: most, reached } };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Milliseconds for as many starts of the bare program as there are pools, one for each processor at a time. */
async function bareStarts(): Promise<number> {
  const began = performance.now();
  let left = POOLS;
  const phpCgi = findPhpCgi();
  const turns = cpus().map(async () => {
    while (left-- > 0) {
      await Bun.spawn([phpCgi, "-v"], { stdio: ["ignore", "ignore", "ignore"] }).exited;
    }
  });
  await Promise.all(turns);
  return performance.now() - began;
}

/** Milliseconds until php-fpm has started as many pools of one worker; its command does not wait for them. */
function phpFpmStart(): Promise<number> {
  return onStage(async (stage) => {
    const pools = range((i) =>
      [
        `[p${i}]`,
        `listen = ${stage.path(`p${i}.sock`)}`,
        ...(USER === null ? [] : [`user = ${USER}`, `group = ${USER}`]),
        "pm = static",
        "pm.max_children = 1",
      ].join("\n"),
    );
    const global = `[global]\npid = ${stage.path("fpm.pid")}\nerror_log = ${stage.path("fpm.log")}\n`;
    const config = stage.write("php-fpm.conf", `${global}${pools.join("\n")}\n`);
    const began = performance.now();
    const outcome = await stage.command([findPhpFpm(), "-D", "-y", config], COMMAND_MS);
    if (outcome.code !== 0) throw new Error(`php-fpm: ${outcome.stderr.slice(0, 500)}`);
    const workers = () => childrenOf(Number(textOf(stage.path("fpm.pid")))).length;
    await eventually(() => workers() === POOLS, { every: 5, what: "php-fpm has all workers" });
    return performance.now() - began;
  });
}

function configure(stage: Stage): string {
  const program = options.worker === "php-cgi" ? findPhpCgi() : findProgram(options.worker);
  const pools = range((i) =>
    [
      `[pools.p${i}]`,
      `listen = "${stage.path(`p${i}.sock`)}"`,
      `command = ["${program}"]`,
      "workers = 1",
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
  return stage.write("fcgivisor.toml", `${[...top, ...pools].join("\n")}\n`);
}

function range<T>(make: (i: number) => T): T[] {
  return Array.from({ length: POOLS }, (_, i) => make(i));
}

function text(figures: readonly Figure[]): string {
  const head = ["what", "found", "to bare starts", "wanted at most", "reached"];
  const cells = figures.map(({ what, found, share: value, most }) => [
    what,
    found,
    value === null ? "-" : value.toFixed(2),
    most?.text ?? "-",
    most === null ? "-" : most.reached ? "yes" : "**no**",
  ]);
  return markdown(head, cells, (column) => column === 1 || column === 2);
}
