// What a kind of FastCGI program is to us: how it is started, how it forks, and how it is asked to
// leave. One file a kind; the rest of the code knows only this interface.

import type { PoolConfig } from "../config/model.ts";
import type { ProcessEnd } from "../event.ts";
import type { Fault } from "../fault.ts";
import type { LogLevel } from "../log/settings.ts";
import type { RequestCounter } from "../observe/fpm-scoreboard.ts";
import type { RequestRecord } from "../observe/request.ts";
import type { StackReader } from "../observe/stack.ts";
import type { Captured } from "../sys/process.ts";

export interface Runtime {
  readonly name: string;
  /** Whether a program of this name (without its folder) is of this kind. */
  readonly matches: (program: string) => boolean;
  /** Whether this program, too, goes by such a name where a link says so; it is not meant then. */
  readonly sharesOurName: boolean;
  /**
   * Whether one process forks several workers: all of the pool's, unless its group_size is smaller. Some
   * are the worker themselves where only one is wanted, some "always" fork.
   */
  readonly forks: "never" | "several" | "always";
  /** The descriptor on which it is given the listening socket; /dev/null is its standard input then. */
  readonly socketFd: 0 | 3;
  /**
   * Whether it takes on the pool's user, root directory, priority and limits of files and core by itself, as
   * it forks workers; the process that is spawned stays what the supervisor is.
   */
  readonly confinesWorkers: boolean;
  /** The file of settings that it reads, where it needs one; one is written for each group. */
  readonly settingsFile?: (pool: PoolConfig, facts: SettingsFacts) => SettingsFile;
  /** The arguments behind the program. `settings`: path of its file. */
  readonly args: (pool: PoolConfig, settings: string | null) => string[];
  /** And those behind the arguments of the pool's command. */
  readonly lastArgs: (pool: PoolConfig) => string[];
  /** Variables that the arguments refer to: values that `ps` is not to show to everybody. */
  readonly argumentVariables: (pool: PoolConfig) => Record<string, string>;
  /** Variables the program needs; they win over the pool's own. */
  readonly env: (
    pool: PoolConfig,
    group: { readonly size: number; readonly maxRequests: number },
  ) => Record<string, string>;
  /** Variables of the pool's own environment that would upset the program. */
  readonly forbiddenEnv: readonly string[];
  readonly stopSignal: NodeJS.Signals;
  /** What the stop signal does to a worker that has a request in flight. */
  readonly stopSignalWhileBusy: "finishes-request" | "ends-request";
  /** Whether a worker exits by itself after `max_requests`. */
  readonly recyclesItself: boolean;
  /** Whether a leader reads much by itself, so that what it has read says nothing of its workers. */
  readonly leaderReads: boolean;
  /** Whether a worker that is forked has sockets from its leader, which it closes before it serves. */
  readonly workersHaveSockets: boolean;
  /** At which a leader opens its own log files again, and then says so (`logs-reopened`); null = it has none. */
  readonly reopenSignal: (pool: PoolConfig) => NodeJS.Signals | null;
  /** Whether the pool has the program end requests that take too long, so that we need not. */
  readonly endsLongRequests: (pool: PoolConfig) => boolean;
  /** The request a worker is in, where the program keeps a record that can be read from outside. */
  readonly requestOf?: (pid: number) => RequestRecord;
  /** A reader of how many requests the workers of one leader have begun, where the program counts them. */
  readonly requestCounter?: (pool: PoolConfig) => RequestCounter;
  /** A reader of a worker's call stack, where that can be read from outside. */
  readonly stackReader?: (pid: number) => StackReader;
  /** What a line means that the program or its workers wrote; unless given, it is text and nothing more. */
  readonly readLine?: (line: WrittenLine) => OutputReading;
  /** Asks the program itself what would go wrong. */
  readonly preflight?: (pool: PoolConfig, run: Ask) => Promise<Preflight>;
  /** Files and folders that the program reads its settings from. */
  readonly settingsFiles?: (pool: PoolConfig, run: Ask) => Promise<readonly string[]>;
}

/** Starts the program with these arguments as the pool's workers would be, but without the socket. */
export type Ask = (args: string[]) => Promise<Captured>;

export interface WrittenLine {
  readonly text: string;
  /** Whether the process that was spawned wrote it, and not one that it has forked. */
  readonly byLeader: boolean;
}

export interface OutputReading {
  /** Which worker wrote it; null = who the kernel says. */
  readonly pid: number | null;
  /** Without what the program puts around it. */
  readonly text: string;
  /** null = unknown. "debug": of no interest to who does not look for a mistake in the program. */
  readonly level: LogLevel | null;
  /** It was longer than the program writes in one piece. */
  readonly isCut?: boolean;
  /** What the line tells the supervisor. */
  readonly news?: OutputNews;
}

export type OutputNews =
  | { readonly what: "logs-reopened" }
  | {
      readonly what: "worker-ended";
      readonly pid: number;
      readonly end: ProcessEnd;
      /** It could not even become a worker: its user, its folder or a limit could not be had. */
      readonly neverServed: boolean;
    }
  /** The program ends it, because its request takes too long. */
  | { readonly what: "worker-timed-out"; readonly pid: number }
  /** Somebody has sent the leader a signal at which it ends or replaces its workers. */
  | { readonly what: "leader-signalled"; readonly signal: string };

export interface SettingsFacts {
  /** Whether the supervisor is root. */
  readonly isRoot: boolean;
  /** Workers of the group. */
  readonly size: number;
  /** 0 = endless. */
  readonly maxRequests: number;
  /** The pool's own variables, looked up. */
  readonly env: Readonly<Record<string, string>>;
}

export interface SettingsFile {
  readonly text: string;
  /** Variables that it refers to. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface Preflight {
  readonly errors: readonly Fault[];
  readonly warnings: readonly Fault[];
}
