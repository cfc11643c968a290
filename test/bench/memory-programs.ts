// What is measured by memory.ts: php-fpm alone, and fcgivisor with php-fpm or php-cgi, each of so many pools. They run
// copies of their programs and libraries, so that nothing else on the machine shares them.

import { copyFileSync, mkdirSync } from "node:fs";
import { basename } from "node:path";
import { BINARY } from "../helper/program.ts";
import { USER } from "./contender.ts";
import { findPhpCgi, findPhpFpm } from "./programs.ts";
import type { Stage } from "./stage.ts";

export interface Case {
  readonly what: string;
  readonly pools: number;
  /** Of each pool; when it comes and goes with the load, at most. */
  readonly workers: number;
  readonly onDemand: boolean;
}

export interface Program {
  readonly name: string;
  /** Writes its config and starts it. */
  readonly start: (stage: Stage, wanted: Case) => Promise<void>;
  readonly pidFile: string;
}

/** The first is what the others are compared with. */
export const PROGRAMS: readonly Program[] = [
  { name: "php-fpm alone", start: phpFpm, pidFile: "php-fpm.pid" },
  under("php-fpm", findPhpFpm),
  under("php-cgi", findPhpCgi),
];

export function sockets(stage: Stage, { pools }: Case): string[] {
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
