// supervisord with an fcgi-program: php-cgi processes that share a socket which supervisord has opened.

import { readFileSync } from "node:fs";
import { workersAt } from "../helper/processes.ts";
import { answerOf } from "./answer.ts";
import { BACKLOG, type Kind, unstartable, USER } from "./contender.ts";
import { find, findPhpCgi } from "./programs.ts";
import type { Stage } from "./stage.ts";

export const SUPERVISORD: Kind = {
  name: "supervisord, php-cgi",
  on(stage, workers) {
    const phpCgi = findPhpCgi();
    const config = configure(stage, workers, phpCgi);
    // With a config of its own, which stays whole when that of supervisord is broken.
    const client = stage.write("supervisorctl.conf", clientSection(stage));
    const control = async (...words: string[]) =>
      answerOf(await stage.command([find("supervisorctl"), "-c", client, ...words]));
    return {
      stage,
      start: async () => answerOf(await stage.command([find("supervisord"), "-c", config])),
      managerPid: () => Number(readFileSync(stage.path("supervisord.pid"), "utf8")),
      workers: () => workersAt(stage.where).length,
      reload: () => control("restart", "www:*"),
      // What `supervisorctl restart` asks for, without starting a Python each time.
      async poke() {
        await rpc(stage, "supervisor.stopProcessGroup");
        await rpc(stage, "supervisor.startProcessGroup");
      },
      applyBroken() {
        stage.write("supervisord.conf", "[[[broken\n");
        return control("update");
      },
      applyUnstartable() {
        configure(stage, workers, unstartable(stage, phpCgi));
        return control("update");
      },
    };
  },
};

async function rpc(stage: Stage, method: string): Promise<string> {
  const call = `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params><param><value><string>www</string></value></param></params></methodCall>`;
  const response = await fetch("http://localhost/RPC2", {
    unix: stage.path("supervisor.sock"),
    method: "POST",
    headers: { "content-type": "text/xml" },
    body: call,
  });
  return response.text();
}

function clientSection(stage: Stage): string {
  return `[supervisorctl]\nserverurl=unix://${stage.path("supervisor.sock")}\n`;
}

function configure(stage: Stage, workers: number, command: string): string {
  const unix = "path" in stage.where;
  const socket = unix ? `unix://${stage.listen}\nsocket_mode=0666` : `tcp://${stage.listen}`;
  const owner = USER !== null && unix ? `socket_owner=${USER}` : "";
  const user = USER === null ? "" : `user=${USER}`;
  return stage.write(
    "supervisord.conf",
    `[supervisord]
logfile=${stage.path("supervisord.log")}
pidfile=${stage.path("supervisord.pid")}
childlogdir=${stage.dir}
[unix_http_server]
file=${stage.path("supervisor.sock")}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[fcgi-program:www]
command=${command}
process_name=%(program_name)s_%(process_num)d
numprocs=${workers}
socket=${socket}
socket_backlog=${BACKLOG}
environment=PHP_FCGI_MAX_REQUESTS="0"
autorestart=true
${user}
${owner}
`,
  );
}
