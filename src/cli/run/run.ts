// `fcgivisor run`: supervises in the foreground, with a config file or without any.

import { resolve } from "node:path";
import type { Loaded } from "../../config/load.ts";
import { enabledOnly } from "../../config/enabled.ts";
import type { Config } from "../../config/model.ts";
import { Fault } from "../../fault.ts";
import { shellWord } from "../../log/words.ts";
import { stateDirDefault } from "../../admin/default-place.ts";
import { loadGivenConfig } from "../config/load-config.ts";
import { InheritedSockets } from "../../socket/inherited.ts";
import { ServiceManager } from "../../supervisor/service-manager/service-manager.ts";
import { endWithParent } from "../../sys/process.ts";
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
    "die-with-parent": {
      type: "boolean",
      description: "stop when the process that started this one ends, however it does",
    },
    background: { type: "boolean", description: "internal: the part of `start` that stays" },
  },
  async run({ background, "die-with-parent": diesWithParent, ...given }, { rawArgs }) {
    if (diesWithParent) endWithParent();
    const source = new ConfigSource(given, afterDashes(rawArgs));
    const signals = new HeldSignals();
    const manager = ServiceManager.of(process.env, process.pid);
    try {
      const inherited = new InheritedSockets(process.env, process.pid);
      const load = async (file?: string) => inherited.resolve(enabledOnly(await source.read(file)));
      await serve({
        version: VERSION,
        loaded: await load(),
        load,
        switchTo: (file) => source.switchTo(file),
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

/** Where the config is read from, each time it is asked for: a file, which may be another one later, or the command line. */
class ConfigSource {
  private given: Given;
  private readonly command: readonly string[];

  constructor(given: Given, command: readonly string[]) {
    this.given = given;
    this.command = command;
  }

  /** `file`: another one, to see what it would be like. */
  async read(file?: string): Promise<Loaded> {
    if (file === undefined) return loader(this.given, this.command)();
    if (this.given.listen !== undefined)
      throw new Fault(
        "this supervisor runs with settings from its command line, and with no file",
        {
          hint: `stop it, and start it with the file: fcgivisor start -c ${shellWord(file)}`,
        },
      );
    return loader({ ...this.given, config: file }, [])();
  }

  /** From here on it is that file, for the program that an upgrade makes of this one as well. */
  switchTo(file: string): void {
    const words = process.argv.slice(2);
    const at = words.findIndex((word) => /^(-c|--config)$/.test(word));
    const joined = words.findIndex((word) => word.startsWith("--config="));
    if (at >= 0) words[at + 1] = file;
    else if (joined >= 0) words[joined] = `--config=${file}`;
    else words.push("-c", file);
    process.argv = [...process.argv.slice(0, 2), ...words];
    this.given = { ...this.given, config: file };
  }
}

function loader(args: Given, command: readonly string[]): () => Promise<Loaded> {
  const { listen, workers, user, group } = args;
  if (command.length === 0 && listen === undefined) {
    const [extra] = Object.entries({ workers, user, group }).find(([, value]) => value) ?? [];
    if (extra !== undefined)
      throw usageFault(`--${extra} goes with --listen; with a config, set it in the file`, "run");
    return async () => withSocket(await loadGivenConfig(args, process.getuid!()), args.socket);
  }
  if (args.set.length > 0)
    throw usageFault("--set goes with -c FILE: without a file there is an option for it", "run");
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
        ...(args["state-dir"] === undefined ? {} : { stateDir: args["state-dir"] }),
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
    detachOutput(`${JSON.stringify({ ready })}\n`);
  } else if (!quiet && logFile !== null) {
    process.stderr.write(`fcgivisor: ready; the log is ${logFile}\n`);
  }
}
