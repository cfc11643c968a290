// fcgivisor with one pool: the four workers share one group, as is its default. With php-cgi, and with
// php-fpm itself as the program of its workers.

import { readFileSync } from "node:fs";
import { workersAt } from "../helper/processes.ts";
import { BINARY } from "../helper/program.ts";
import { BACKLOG, unstartable, USER, type Kind } from "./contender.ts";
import { answerOf } from "./answer.ts";
import { findPhpCgi, findPhpFpm } from "./programs.ts";
import type { Stage } from "./stage.ts";

export const FCGIVISOR = fcgivisor("fcgivisor", "php-cgi", findPhpCgi);
export const FCGIVISOR_FPM = fcgivisor("fcgivisor, with php-fpm", "php-fpm", findPhpFpm);

function fcgivisor(name: string, runtime: Runtime, find: () => string): Kind {
  return { name, on: (stage, workers) => contender(stage, workers, runtime, find()) };
}

type Runtime = "php-cgi" | "php-fpm";

function contender(
  stage: Stage,
  workers: number,
  runtime: Runtime,
  program: string,
): ReturnType<Kind["on"]> {
  const config = configure(stage, workers, program, "", runtime);
  const word = async (...words: string[]) =>
    answerOf(await stage.command([BINARY, ...words, "-c", config]));
  return {
    stage,
    start: () => word("start"),
    managerPid: () => Number(readFileSync(stage.path("run/fcgivisor.pid"), "utf8")),
    workers: () => workersAt(stage.where).length,
    reload: () => word("reload"),
    poke: () =>
      fetch("http://localhost/v1/reload", { unix: adminSocket(stage), method: "POST" }).then(
        (response) => response.text(),
      ),
    applyBroken() {
      stage.write("fcgivisor.toml", "[[[broken\n");
      return word("reload");
    },
    applyUnstartable() {
      configure(stage, workers, unstartable(stage, program), "", runtime);
      return word("reload");
    },
  };
}

export function adminSocket(stage: Stage): string {
  return stage.path("run/admin.sock");
}

/** Writes the config; `lines` are further settings of the pool. */
export function configure(
  stage: Stage,
  workers: number,
  command: string,
  lines = "",
  runtime: Runtime = "php-cgi",
): string {
  const user = USER === null ? "" : `user = "${USER}"`;
  const mode = "path" in stage.where ? `, mode = "0666"` : "";
  return stage.write(
    "fcgivisor.toml",
    `[supervisor]
state_dir = "${stage.path("run")}"
pid_file = "${stage.path("run/fcgivisor.pid")}"
[log]
file = "${stage.path("fcgivisor.log")}"
[pools.www]
listen = { address = "${stage.listen}", backlog = ${BACKLOG}${mode} }
command = ["${command}"]
runtime = "${runtime}"
workers = ${workers}
max_requests = 0
log_output = ${runtime === "php-cgi"}
${user}
${lines}
`,
  );
}
