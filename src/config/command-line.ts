// A config out of options alone, for `run --listen 127.0.0.1:9000 -- php-cgi`: what spawn-fcgi was
// used for. One pool, named www; its values go through the same table as those of a file.

import { finish, type Loaded } from "./finish.ts";
import type { Draft, Entry } from "./draft.ts";
import { withOverrides } from "./overrides.ts";
import { collectProblems } from "./problems.ts";
import type { Surroundings } from "./resolve.ts";

export interface CommandLineOptions {
  readonly listen: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly workers?: number;
  readonly user?: string;
  readonly group?: string;
  readonly runtime?: string;
  readonly groupSize?: number;
  readonly maxRequests?: number;
  /** Durations as text with their unit, as in a file. */
  readonly startTimeout?: string;
  readonly drainTimeout?: string;
  readonly requestTimeout?: string;
  readonly chdir?: string;
  readonly allowRoot?: boolean;
  readonly pidFile?: string;
  readonly stateDir?: string;
  /** Path of the control socket. */
  readonly socket?: string;
  readonly logFile?: string;
  readonly phpIni?: string;
  readonly logLevel?: string;
  readonly logFormat?: string;
}

export interface CommandLineSurroundings extends Surroundings {
  /** What relative paths are relative to. */
  readonly cwd: string;
}

/** Throws one Fault whose parts are all that is wrong. */
export function configFromCommandLine(
  options: CommandLineOptions,
  surroundings: CommandLineSurroundings,
): Loaded {
  const { cwd } = surroundings;
  const given = (names: Readonly<Record<string, unknown>>) => entries(names, cwd);
  const draft: Draft = {
    source: { format: "command-line", file: null, files: [], prefix: cwd },
    supervisor: given({
      pid_file: options.pidFile,
      state_dir: options.stateDir,
      allow_root: options.allowRoot,
    }),
    admin: given({ socket: options.socket }),
    log: given({ file: options.logFile, level: options.logLevel, format: options.logFormat }),
    metrics: [],
    pools: [{ name: "www", where: "command line", entries: given(poolNames(options)) }],
    daemonize: null,
  };
  const changed = withOverrides(draft, { phpIni: options.phpIni }, cwd);
  return finish(changed, surroundings, collectProblems(), "the command line");
}

function poolNames(options: CommandLineOptions): Readonly<Record<string, unknown>> {
  return {
    "listen.address": options.listen,
    command: options.command,
    workers: options.workers,
    user: options.user,
    group: options.group,
    runtime: options.runtime,
    group_size: options.groupSize,
    max_requests: options.maxRequests,
    start_timeout: options.startTimeout,
    drain_timeout: options.drainTimeout,
    request_timeout: options.requestTimeout,
    // Whoever types a command expects it to run where it is typed.
    chdir: options.chdir ?? ".",
    // Whoever types a command expects it to see the environment it is typed in.
    clear_env: false,
  };
}

function entries(names: Readonly<Record<string, unknown>>, base: string): Entry[] {
  return Object.entries(names)
    .filter(([, raw]) => raw !== undefined)
    .map(([name, raw]) => {
      const option = `--${name.split(".")[0]!.replaceAll("_", "-")}`;
      const where = name === "command" ? "command line" : option;
      return { name, label: name === "command" ? name : option, raw, where, base };
    });
}
