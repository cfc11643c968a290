// What every service file is made from: the program, the config, the places it writes to, and how long
// its operations may take.

import { dirname, join, resolve } from "node:path";
import type { Config, PoolConfig } from "../../config/model.ts";
import { didYouMean } from "../../config/nearest.ts";
import { Fault } from "../../fault.ts";
import { runtimeOf } from "../../runtime/registry.ts";
import type { Address, ListenAddress } from "../../sys/socket/address.ts";
import { isCompiled } from "../../sys/exec/self.ts";
import { firstOf } from "../../log/words.ts";

export interface ServiceFacts {
  readonly program: string;
  /** Absolute path of the config file. */
  readonly config: string;
  /** Words that every command needs to find the config. */
  readonly words: readonly string[];
  readonly pools: readonly PoolFacts[];
  readonly stateDir: string;
  readonly pidFile: string;
  /** Where the log goes when it is a file; null = stderr. */
  readonly log: string | null;
  /** The same when it runs in the background. */
  readonly backgroundLog: string;
  /** Folders that it writes to. */
  readonly written: readonly string[];
  /** Folders that it, or its workers, must see as everybody sees them. */
  readonly seen: readonly string[];
  /** Seconds within which a start or a reload is over, drain included; and a stop. */
  readonly reloadSeconds: number;
  readonly stopSeconds: number;
  /** The longest drain_timeout. */
  readonly drainSeconds: number;
  readonly stopSignalMeans: "stop" | "quit";
  /** Where /metrics and /readyz are; null = on the control socket alone. */
  readonly metrics: ListenAddress | null;
  /** The file of the token that /metrics asks for there. */
  readonly metricsToken: string | null;
}

export interface PoolFacts {
  readonly name: string;
  readonly config: PoolConfig;
  readonly address: Address;
  /** The name of the descriptor, where systemd opens the socket. */
  readonly descriptor: string | null;
  readonly isPhp: boolean;
}

const INSTALLED = "/usr/local/bin/fcgivisor";
/** What is added to the times of the config: a loaded machine, the last signals, the files. */
const MARGIN_SECONDS = 15;

/** Throws the Fault for a pool that there is not. */
export function serviceFacts(
  config: Config,
  options: { readonly prefix?: string | undefined; readonly pool?: string | undefined },
): ServiceFacts {
  const { supervisor, source, log, admin } = config;
  const file = source.file ?? "";
  const all = config.pools.map(poolFacts);
  const pools = all.filter(({ name }) => options.pool === undefined || name === options.pool);
  if (pools.length === 0) {
    const names = all.map(({ name }) => name);
    throw new Fault(`there is no pool "${options.pool}"${didYouMean(options.pool ?? "", names)}`, {
      hint: `pools are ${firstOf(names, 20)}`,
    });
  }
  const prefix = options.prefix === undefined ? [] : ["--prefix", resolve(options.prefix)];
  const longest = (of: (pool: PoolConfig) => number) => Math.max(0, ...config.pools.map(of)) / 1000;
  const drain = longest(({ drainTimeoutMs }) => drainTimeoutMs);
  const sockets = all.flatMap(({ address }) => (address.kind === "unix" ? [address.path] : []));
  const files = [log.file, supervisor.pidFile, admin.socket, ...sockets];
  const written = [supervisor.stateDir, ...files.filter((path) => path !== null).map(dirname)];
  const program = isCompiled() ? process.execPath : INSTALLED;
  const read = [program, ...source.files].map(dirname);
  return {
    program,
    config: file,
    words: ["-c", file, ...prefix],
    pools,
    stateDir: supervisor.stateDir,
    pidFile: supervisor.pidFile ?? join(supervisor.stateDir, "fcgivisor.pid"),
    log: log.file,
    backgroundLog: log.file ?? join(supervisor.stateDir, "fcgivisor.log"),
    written: [...new Set(written)],
    seen: [...new Set([...written, ...read, ...config.pools.flatMap(placesOf)])],
    reloadSeconds: Math.ceil(longest((p) => p.startTimeoutMs) * 2 + drain + MARGIN_SECONDS),
    stopSeconds: Math.ceil(drain + MARGIN_SECONDS),
    drainSeconds: Math.ceil(drain),
    stopSignalMeans: supervisor.stopSignalMeans,
    metrics: config.metrics.listen,
    metricsToken: config.metrics.tokenFile,
  };
}

function placesOf({ chdir, chroot, command: [program], php }: PoolConfig): string[] {
  const places = [
    chdir,
    chroot,
    php.ini,
    program?.includes("/") === true ? dirname(program) : null,
  ];
  return places.filter((place) => place !== null);
}

function poolFacts(config: PoolConfig): PoolFacts {
  const { address } = config.listen;
  const named = address.kind === "systemd";
  return {
    name: config.name,
    config,
    // Where the socket unit that `systemd-socket` prints listens, unless somebody changes it.
    address: named ? { kind: "unix", path: `/run/fcgivisor-${address.name}.sock` } : address,
    descriptor: named ? address.name : null,
    isPhp: ["php-cgi", "php-fpm"].includes(runtimeOf(config)?.name ?? ""),
  };
}

/** A word for a command line in a unit file (systemd.syntax(7)): `%` and `$` mean something there. */
export function unitWord(word: string): string {
  const text = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[A-Za-z0-9_./:=@%+$-]+$/.test(text)
    ? text
    : `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
