// What a kind of FastCGI program is to us: how it is started, how it forks, and how it is asked to
// leave. One file a kind; the rest of the code knows only this interface.

import type { PoolConfig } from "../config/model.ts";
import type { Fault } from "../fault.ts";
import type { RequestRecord } from "../observe/request.ts";
import type { StackReader } from "../observe/stack.ts";
import type { Captured } from "../sys/process.ts";

export interface Runtime {
  readonly name: string;
  /** Whether a program of this name (without its folder) is of this kind. */
  readonly matches: (program: string) => boolean;
  /** Whether one process forks several workers: all of the pool's, unless its group_size is smaller. */
  readonly forks: boolean;
  /** The arguments behind the program. */
  readonly args: (pool: PoolConfig) => string[];
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
  /** Whether the program exits by itself after `max_requests`. */
  readonly recyclesItself: boolean;
  /** The request a worker is in, where the program keeps a record that can be read from outside. */
  readonly requestOf?: (pid: number) => RequestRecord;
  /** A reader of a worker's call stack, where that can be read from outside. */
  readonly stackReader?: (pid: number) => StackReader;
  /**
   * Asks the program itself what would go wrong; `run` starts it with these arguments as the pool's
   * workers would be, but without the socket.
   */
  readonly preflight?: (
    pool: PoolConfig,
    run: (args: string[]) => Promise<Captured>,
  ) => Promise<Preflight>;
  /** Files and folders that the program reads its settings from; `run` as above. */
  readonly settingsFiles?: (
    pool: PoolConfig,
    run: (args: string[]) => Promise<Captured>,
  ) => Promise<readonly string[]>;
}

export interface Preflight {
  readonly errors: readonly Fault[];
  readonly warnings: readonly Fault[];
}
