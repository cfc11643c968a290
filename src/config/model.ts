// What a config means once it is read, whatever it was written in. Everything above config sees
// only this: frozen, complete, every path absolute, every duration in milliseconds.

import type { LogConfig, LogLevel } from "../log/settings.ts";
import type { ListenAddress } from "../sys/socket/address.ts";

export type { LogConfig, LogLevel };

export type ConfigFormat = "toml" | "legacy-xml" | "php-fpm-ini" | "command-line";
/** Where PHP's own errors go: as PHP has it, or into the log of the supervisor. */
export type PhpErrors = "web-server" | "log";
export type Scaling = "static" | "dynamic" | "ondemand";

export interface Config {
  readonly source: Source;
  readonly supervisor: SupervisorConfig;
  readonly admin: AdminConfig;
  readonly log: LogConfig;
  readonly metrics: MetricsConfig;
  /** In the order of the file; names are unique. */
  readonly pools: readonly PoolConfig[];
}

export interface Source {
  readonly format: ConfigFormat;
  /** Absolute path of the main file; null for `run --listen … -- COMMAND`. */
  readonly file: string | null;
  /** Every file that was read, the main one first. */
  readonly files: readonly string[];
  readonly prefix: string;
}

export interface SupervisorConfig {
  readonly pidFile: string | null;
  readonly stateDir: string;
  /** Lets workers run as root. */
  readonly allowRoot: boolean;
  /** What SIGTERM does. */
  readonly stopSignalMeans: "stop" | "quit";
  /** Legacy `daemonize`; null where the format has no such word. `run` and `start` decide anyway. */
  readonly daemonize: boolean | null;
  /** So many workers dead by SIGSEGV or SIGBUS within the interval reload everything; 0 = off. */
  readonly emergencyRestartThreshold: number;
  readonly emergencyRestartIntervalMs: number;
  /** Of all pools, active at once; 0 = no limit. */
  readonly maxWorkers: number;
}

export interface AdminConfig {
  readonly socket: string;
  readonly owner: string | null;
  readonly group: string | null;
  readonly mode: number;
  /** Group that may look; group that may reload, restart and rotate logs as well; null = none. */
  readonly readers: string | null;
  readonly operators: string | null;
  /** A second socket, on which one can look and nothing else; null = none. */
  readonly readOnlySocket: string | null;
  readonly readOnlyGroup: string | null;
  readonly readOnlyMode: number;
}

/** A listener on which one can look and nothing else: for Prometheus, and for people. */
export interface MetricsConfig {
  /** null = none. */
  readonly listen: ListenAddress | null;
  /** Whether the page for people is there. */
  readonly page: boolean;
  /** A file that holds what every request must bring; null = nothing. */
  readonly tokenFile: string | null;
  /** Of a Unix socket. */
  readonly group: string | null;
  readonly mode: number;
}

export interface ListenConfig {
  /** Who serves knows no `systemd:NAME` any more: socket/inherited.ts has put the address in its place. */
  readonly address: ListenAddress;
  /** As given to listen(2); -1 = as much as the kernel allows. */
  readonly backlog: number;
  /** Unix sockets only. */
  readonly owner: string | null;
  readonly group: string | null;
  readonly mode: number | null;
  /** Who else may connect, as the file's access list (acl(5)) says. */
  readonly aclUsers: readonly string[];
  readonly aclGroups: readonly string[];
}

export interface HealthConfig {
  /** Absolute path, sent as SCRIPT_FILENAME; null = what `path` leads to below chdir. */
  readonly script: string | null;
  /** URL path with query; null = "/" and the script's name. */
  readonly path: string | null;
  /** Text that the body must contain; null = status alone decides. */
  readonly expect: string | null;
  readonly status: number;
  readonly timeoutMs: number;
}

/** A request that shows whether a pool works. */
export interface SmokeRequest {
  /** URL path with query. */
  readonly path: string;
  /** Absolute path, sent as SCRIPT_FILENAME; null = what `path` leads to below chdir. */
  readonly script: string | null;
  readonly method: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string | null;
  readonly status: number;
  /** Text that the body must contain; null = status alone decides. */
  readonly expect: string | null;
  /** The answer must come within this. */
  readonly timeoutMs: number;
}

/** How many workers more than configured may exist while a pool reloads. */
export type ExtraWorkers =
  | { readonly kind: "count"; readonly value: number }
  /** Of the pool's workers. */
  | { readonly kind: "percent"; readonly value: number };

export interface FileLine {
  readonly file: string;
  readonly line: number;
}

export interface PoolConfig {
  readonly name: string;
  readonly listen: ListenConfig;
  /** Whether it is run. */
  readonly enabled: boolean;
  /** Program and arguments; the program as written, looked up in PATH when it has no slash. */
  readonly command: readonly string[];
  /** Name of a runtime, or null: guessed from the command. */
  readonly runtime: string | null;
  readonly user: string | null;
  readonly group: string | null;
  readonly scaling: Scaling;
  readonly workers: number;
  readonly startWorkers: number | null;
  readonly minSpare: number | null;
  readonly maxSpare: number | null;
  readonly idleTimeoutMs: number;
  readonly restTimeoutMs: number | "off";
  /** Workers a spawned process provides; null = what the runtime does best. */
  readonly groupSize: number | null;
  /** 0 = endless. */
  readonly maxRequests: number;
  readonly maxRequestsJitter: number;
  /** 0 = endless. */
  readonly maxAgeMs: number;
  /** Bytes, of one worker, that it shares with nobody. */
  readonly maxMemory: number | "unlimited";
  readonly startTimeoutMs: number;
  readonly drainTimeoutMs: number;
  /** 0 = off. */
  readonly requestTimeoutMs: number;
  /** 0 = off. */
  readonly slowTimeoutMs: number;
  /** Absolute path; null = the log. */
  readonly slowLog: string | null;
  /** "SIGTERM"; null = the runtime's own for a graceful stop. */
  readonly stopSignal: string | null;
  readonly chdir: string | null;
  readonly chroot: string | null;
  readonly umask: number | null;
  readonly nice: number | null;
  readonly rlimitFiles: number | null;
  readonly rlimitCore: number | "unlimited" | null;
  /** Of the user, in all. */
  readonly rlimitProcesses: number | null;
  /** Bytes of address space. */
  readonly rlimitMemory: number | "unlimited" | null;
  /** Bytes, of the pool's control group. */
  readonly memoryMax: number | "unlimited" | null;
  /** Of the pool's control group. */
  readonly pidsMax: number | null;
  readonly noNewPrivs: boolean;
  readonly privateTmp: boolean;
  readonly readOnly: boolean;
  /** Folders, inside the chroot. */
  readonly writable: readonly string[];
  readonly clearEnv: boolean;
  /** As written; `$NAME` as a whole value is looked up in the supervisor's environment at spawn. */
  readonly env: ReadonlyMap<string, string>;
  /** Addresses or CIDR blocks; empty = everybody. TCP only. */
  readonly allowedClients: readonly string[];
  readonly logOutput: boolean;
  /** Bytes a second. */
  readonly logRate: number | "unlimited";
  readonly php: {
    /** File or directory for `-c`; null = PHP's own place. */
    readonly ini: string | null;
    readonly defines: ReadonlyMap<string, string>;
    /** Like `defines`, but scripts cannot change them. */
    readonly admin: ReadonlyMap<string, string>;
    readonly errors: PhpErrors;
  };
  /** Pool directives of php-fpm, by name; for its runtime only. */
  readonly fpm: ReadonlyMap<string, string>;
  readonly health: HealthConfig | null;
  readonly smoke: readonly SmokeRequest[];
  readonly reload: {
    readonly maxExtra: ExtraWorkers;
    /** 0 = off. */
    readonly probationMs: number;
  };
  /** Where the pool stands in its file, and each of its directives of php-fpm; for messages. */
  readonly place: (FileLine & { readonly fpm: ReadonlyMap<string, FileLine> }) | null;
}

/**
 * Makes objects and arrays unchangeable all the way down, and returns the same value; a Map's contents
 * are protected by its type.
 */
export function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}
