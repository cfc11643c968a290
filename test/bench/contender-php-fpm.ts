// php-fpm, in two ways: as it comes, and with the one setting that lets a request in flight finish.

import { readFileSync } from "node:fs";
import { alive, childrenOf } from "../helper/processes.ts";
import { answerOf } from "./answer.ts";
import { BACKLOG, type Answer, type Kind, USER } from "./contender.ts";
import { findPhpFpm } from "./programs.ts";
import type { Stage } from "./stage.ts";

export const PHP_FPM = phpFpm("php-fpm", "");
export const PHP_FPM_PATIENT = phpFpm(
  "php-fpm, control timeout 10 s",
  "process_control_timeout = 10s",
);

function phpFpm(name: string, setting: string): Kind {
  return { name, on: (stage, workers) => contender(stage, workers, setting) };
}

function contender(stage: Stage, workers: number, setting: string): ReturnType<Kind["on"]> {
  const program = findPhpFpm();
  const config = configure(stage, workers, setting);
  const managerPid = (): number => Number(readFileSync(stage.path("php-fpm.pid"), "utf8"));
  // Reload is a signal, and so can only say that there was somebody to send it to.
  const usr2 = (): Answer => {
    const pid = managerPid();
    if (!alive(pid)) return { code: 1, words: "no such process" };
    process.kill(pid, "SIGUSR2");
    return { code: 0, words: "" };
  };
  return {
    stage,
    start: async () => answerOf(await stage.command([program, "-y", config])),
    managerPid,
    workers: () => childrenOf(managerPid()).length,
    reload: async () => usr2(),
    poke: async () => usr2(),
    async applyBroken() {
      stage.write("php-fpm.conf", "[[[broken\n");
      return usr2();
    },
    applyUnstartable: null,
  };
}

function configure(stage: Stage, workers: number, setting: string): string {
  return stage.write(
    "php-fpm.conf",
    `[global]
pid = ${stage.path("php-fpm.pid")}
error_log = ${stage.path("php-fpm.log")}
daemonize = yes
${setting}
[www]
listen = ${stage.listen}
listen.backlog = ${BACKLOG}
listen.mode = 0666
${USER === null ? "" : `user = ${USER}\ngroup = ${USER}`}
pm = static
pm.max_children = ${workers}
`,
  );
}
