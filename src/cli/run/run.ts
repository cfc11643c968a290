// `fcgivisor run`: supervises in the foreground, with a config file or without any.

import { resolve } from "node:path";
import type { Loaded } from "../../config/load.ts";
import type { Config } from "../../config/model.ts";
import { stateDirDefault } from "../../admin/default-place.ts";
import { loadGivenConfig } from "../config/load-config.ts";
import { InheritedSockets } from "../../socket/inherited.ts";
import { ServiceManager } from "../../supervisor/service-manager/service-manager.ts";
import { detachOutput } from "../../sys/exec/detach.ts";
import { defineCommand } from "../command.ts";
import { afterDashes, type ValuesOf } from "../options.ts";
import { RUN_OPTIONS } from "./options.ts";
import { usageFault } from "../usage.ts";
import { serve } from "../../daemon/serve.ts";
import type { Supervisor } from "../../supervisor/supervisor.ts";
import { HeldSignals } from "../../daemon/signals.ts";
import { VERSION } from "../version.ts";

type Given = ValuesOf<typeof RUN_OPTIONS>;

export default defineCommand({
  name: "run",
  description:
    "Supervises in the foreground: with -c FILE, or without a file: run --listen 127.0.0.1:9000 --workers 4 -- php-cgi",
  options: {
    ...RUN_OPTIONS,
    background: { type: "boolean", description: "internal: the part of `start` that stays" },
  },
  async run({ background, ...given }, { rawArgs }) {
    const read = loader(given, afterDashes(rawArgs));
    const signals = new HeldSignals();
    const manager = ServiceManager.of(process.env, process.pid);
    try {
      const inherited = new InheritedSockets(process.env, process.pid);
      const load = async () => inherited.resolve(await read());
      await serve({
        version: VERSION,
        loaded: await load(),
        load,
        inherited,
        manager,
        signals,
        background,
        takeover: given.takeover,
        keepGoing: given["keep-going"],
        onReady: (supervisor) => announce(supervisor, background, given.quiet),
      });
    } catch (error) {
      manager?.failed(error);
      throw error;
    } finally {
      manager?.close();
    }
    return 0;
  },
});

/** Reads the config again each time it is called. */
function loader(args: Given, command: readonly string[]): () => Promise<Loaded> {
  const { listen, workers, user, group } = args;
  if (command.length === 0 && listen === undefined) {
    const [extra] = Object.entries({ workers, user, group }).find(([, value]) => value) ?? [];
    if (extra !== undefined)
      throw usageFault(`--${extra} goes with --listen; with a config, set it in the file`, "run");
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
    const { configFromCommandLine } = await import("../../config/load.ts");
    return configFromCommandLine(
      {
        listen,
        command,
        allowRoot: args["allow-root"],
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
