// fcgivisor with one pool: the four workers share one group, as is its default.

import { readFileSync } from "node:fs";
import { workersAt } from "../helper/processes.ts";
import { BINARY } from "../helper/program.ts";
import { BACKLOG, unstartable, USER, type Kind } from "./contender.ts";
import { answerOf } from "./answer.ts";
import { findPhpCgi } from "./programs.ts";
import type { Stage } from "./stage.ts";

export const FCGIVISOR: Kind = {
  name: "fcgivisor",
  on(stage, workers) {
    const phpCgi = findPhpCgi();
    const config = configure(stage, workers, phpCgi);
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
        configure(stage, workers, unstartable(stage, phpCgi));
        return word("reload");
      },
    };
  },
};

export function adminSocket(stage: Stage): string {
  return stage.path("run/admin.sock");
}

/** Writes the config; `lines` are further settings of the pool. */
export function configure(stage: Stage, workers: number, command: string, lines = ""): string {
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
runtime = "php-cgi"
workers = ${workers}
max_requests = 0
${user}
${lines}
`,
  );
}
