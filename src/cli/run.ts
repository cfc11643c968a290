// `fcgivisor run`: supervises in the foreground, with a config file or without any.

import { resolve } from "node:path";
import { defineCommand } from "citty";
import type { Loaded } from "../config/load.ts";
import type { Config } from "../config/model.ts";
import { stateDirDefault } from "../admin/default-place.ts";
import { loadGivenConfig } from "./config/load-config.ts";
import { inheritedSockets } from "../socket/inherited.ts";
import { serviceManager } from "../supervisor/service-manager/service-manager.ts";
import { detachOutput } from "../sys/exec/detach.ts";
import { afterDashes, COMMON, usageFault } from "./runner.ts";
import { serve } from "../daemon/serve.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { holdSignals } from "../daemon/signals.ts";
import { VERSION } from "./version.ts";

const { config, socket, prefix, quiet } = COMMON;

export const RUN_ARGS = {
  config,
  socket,
  prefix,
  quiet,
  "keep-going": {
    type: "boolean",
    description: "start with the pools that come up, and go on trying the others",
  },
  takeover: {
    type: "boolean",
    description:
      "take sockets over from workers that an earlier supervisor left without a state file",
  },
  listen: {
    type: "string",
    valueHint: "address",
    description: "without a config: where to listen",
  },
  workers: { type: "string", valueHint: "n", description: "without a config: how many workers" },
  user: { type: "string", description: "without a config: run the workers as this user" },
  group: { type: "string", description: "without a config: and as this group" },
  "allow-root": { type: "boolean", description: "let workers run as root" },
  "pid-file": { type: "string", valueHint: "path", description: "write the pid file here" },
  "log-file": { type: "string", valueHint: "path", description: 'log to this file, or "stderr"' },
  "php-ini": { type: "string", valueHint: "path", description: "php.ini of every pool" },
} as const;

interface RunArgs {
  readonly config?: string | undefined;
  readonly socket?: string | undefined;
  readonly prefix?: string | undefined;
  readonly quiet?: boolean | undefined;
  readonly listen?: string | undefined;
  readonly workers?: string | undefined;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly "allow-root"?: boolean | undefined;
  readonly "pid-file"?: string | undefined;
  readonly "log-file"?: string | undefined;
  readonly "php-ini"?: string | undefined;
}

export default defineCommand({
  meta: {
    name: "run",
    description:
      "Supervises in the foreground: with -c FILE, or without a file: run --listen 127.0.0.1:9000 --workers 4 -- php-cgi",
  },
  args: {
    ...RUN_ARGS,
    background: { type: "boolean", description: "internal: the part of `start` that stays" },
  },
  async run({ args, rawArgs }) {
    const command = afterDashes(rawArgs);
    const background = args.background === true;
    const read = loader(args, args["allow-root"] === true, command);
    const signals = holdSignals();
    const manager = serviceManager(process.env, process.pid);
    try {
      const inherited = inheritedSockets(process.env, process.pid);
      const load = async () => inherited.resolve(await read());
      await serve({
        version: VERSION,
        loaded: await load(),
        load,
        inherited,
        manager,
        signals,
        background,
        takeover: args.takeover === true,
        keepGoing: args["keep-going"] === true,
        onReady: (supervisor) => announce(supervisor, background, args.quiet === true),
      });
    } catch (error) {
      manager.failed(error);
      throw error;
    } finally {
      manager.close();
    }
    return 0;
  },
});

/** Reads the config anew each time it is called. */
function loader(
  args: RunArgs,
  allowRoot: boolean,
  command: readonly string[],
): () => Promise<Loaded> {
  const { listen, workers, user, group } = args;
  if (command.length === 0 && listen === undefined) {
    const [stray] = Object.entries({ workers, user, group }).find(([, value]) => value) ?? [];
    if (stray !== undefined)
      throw usageFault(`--${stray} goes with --listen; with a config, set it in the file`, "run");
    return async () => withSocket(await loadGivenConfig(args, process.getuid!()), args.socket);
  }
  if (args.config !== undefined)
    throw usageFault("give either -c FILE, or --listen ADDRESS -- COMMAND", "run");
  if (listen === undefined)
    throw usageFault("a command without a config needs --listen ADDRESS", "run");
  if (command.length === 0)
    throw usageFault("--listen needs a command: run --listen ADDRESS -- COMMAND", "run");
  if (workers !== undefined && !/^[1-9][0-9]*$/.test(workers))
    throw usageFault(`--workers: "${workers}" is not a number above 0`, "run");
  return async () => {
    const { configFromCommandLine } = await import("../config/load.ts");
    return configFromCommandLine(
      {
        listen,
        command,
        allowRoot,
        ...(workers === undefined ? {} : { workers: Number(workers) }),
        ...(user === undefined ? {} : { user }),
        ...(group === undefined ? {} : { group }),
        ...(args["pid-file"] === undefined ? {} : { pidFile: args["pid-file"] }),
        ...(args["log-file"] === undefined ? {} : { logFile: args["log-file"] }),
        ...(args["php-ini"] === undefined ? {} : { phpIni: args["php-ini"] }),
        ...(args.socket === undefined ? {} : { socket: resolve(args.socket) }),
      },
      {
        cwd: process.cwd(),
        uid: process.getuid!(),
        stateDirDefault: stateDirDefault(),
      },
    );
  };
}

function withSocket(loaded: Loaded, socket: string | undefined): Loaded {
  if (socket === undefined) return loaded;
  const config: Config = {
    ...loaded.config,
    admin: { ...loaded.config.admin, socket: resolve(socket) },
  };
  return { ...loaded, config };
}

function announce(supervisor: Supervisor, background: boolean, quiet: boolean): void {
  const { takenOver, failedPools, logFile, poolCount } = supervisor;
  if (background) {
    // `start` waits for this line; afterwards there is nobody to read.
    const ready = { pid: process.pid, pools: poolCount, takenOver, failed: failedPools };
    process.stdout.write(`${JSON.stringify({ ready })}\n`);
    detachOutput();
  } else if (!quiet && logFile !== null) {
    process.stderr.write(`fcgivisor: ready; the log is ${logFile}\n`);
  }
}
