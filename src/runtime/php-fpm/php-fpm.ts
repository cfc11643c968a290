// php-fpm. A master is started for each group: it inherits our socket (FPM_SOCKETS), forks the workers and
// refills what leaves, and does everything else that php-fpm can do. What decides when workers come and go
// stays ours: its pool is static, and its own signals are not used on it. QUIT lets a worker finish the
// request in flight, TERM ends it at once (the reverse of php-cgi); of the master KILL only, for at any other
// end it takes its workers along.

import type { PoolConfig } from "../../config/model.ts";
import { isPhpFpmName } from "../../config/php-fpm/program.ts";
import { FpmRequestCounter } from "../../observe/fpm-scoreboard.ts";
import { phpRequestOf } from "../../observe/php-request.ts";
import { PhpStackReader } from "../../observe/php-stack.ts";
import { iniFiles } from "../php-ini.ts";
import type { Runtime } from "../runtime.ts";
import { fpmConfig, LISTEN_KEY } from "./config-text.ts";
import { readFpmLine } from "./lines.ts";
import { endsLongRequests, preflight } from "./preflight.ts";

const SOCKET_FD = 3;

export const phpFpm: Runtime = {
  name: "php-fpm",
  matches: isPhpFpmName,
  sharesOurName: true,
  forks: "always",
  socketFd: SOCKET_FD,
  confinesWorkers: true,
  settingsFile: fpmConfig,
  args: (pool, settings) => [
    "--nodaemonize",
    "--force-stderr",
    ...(settings === null ? [] : ["--fpm-config", settings]),
    ...(pool.php.ini === null ? [] : ["-c", pool.php.ini]),
    ...(runsAsRoot(pool) ? ["--allow-to-run-as-root"] : []),
  ],
  lastArgs: () => [],
  argumentVariables: () => ({}),
  env: () => ({ FPM_SOCKETS: `${LISTEN_KEY}=${SOCKET_FD}` }),
  // A service manager's, which php-fpm would tell that it is ready.
  forbiddenEnv: ["FPM_SOCKETS", "NOTIFY_SOCKET"],
  stopSignal: "SIGQUIT",
  stopSignalWhileBusy: "finishes-request",
  recyclesItself: true,
  leaderReads: true,
  workersHaveSockets: true,
  // The slow log it opens each time.
  reopenSignal: ({ fpm }) => (fpm.has("access.log") ? "SIGUSR1" : null),
  endsLongRequests,
  requestOf: phpRequestOf,
  requestCounter: ({ name }) => new FpmRequestCounter(name),
  stackReader: (pid) => new PhpStackReader(pid),
  readLine: readFpmLine,
  preflight,
  settingsFiles: async (pool, run) => iniFiles(pool, (await run(["-i"])).output),
};

/** Whether it would have to; that the supervisor allows it is checked before. */
function runsAsRoot({ user, group }: PoolConfig): boolean {
  return user === null || user === "root" || user === "0" || group === "root" || group === "0";
}
