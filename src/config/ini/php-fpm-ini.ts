// Reads the php-fpm.conf of a php-fpm of today, with all it includes, into a draft. In order: lines.ts
// takes a file apart, files.ts puts what it includes in place, sections.ts keeps what counts, and
// entry.ts and pool.ts make entries of the settings table of it.

import { join } from "node:path";
import type { Environment } from "../default-places.ts";
import type { Draft, Entry, PoolDraft } from "../draft.ts";
import { iniEntry } from "./entry.ts";
import { eachIniLine } from "./files.ts";
import type { IniReading } from "./lines.ts";
import { phpFor } from "./php.ts";
import { INI_WORDING, iniPoolEntries } from "./pool.ts";
import { IniSections, type IniSection } from "./sections.ts";
import { checkPoolCount } from "../rules/pool-count.ts";
import type { Problems } from "../problems.ts";
import {
  besidePidFileOfRoot,
  installPrefix,
  impliedEntry,
  phpProgram,
} from "../php-fpm/implied.ts";
import { isZeroLimit } from "../php-fpm/pool-rules.ts";
import { uniqueNames } from "../php-fpm/unique-names.ts";

export interface IniOptions {
  /** As of -p: what relative paths are relative to. */
  readonly prefix?: string;
  /** As of --php: the php-fpm or php-cgi that the pools run. */
  readonly php?: string;
  readonly env: Environment;
}

/** All that is wrong goes to `problems`. */
export async function readPhpFpmIni(
  file: string,
  bytes: Uint8Array,
  options: IniOptions,
  problems: Problems,
): Promise<Draft> {
  const system = file.startsWith("/etc/") ? "/usr" : null;
  const prefix = installPrefix(file, options.prefix, system);
  const php = phpFor(file, prefix, options.env, options.php);
  const wording = INI_WORDING[php.runtime];
  const reading: IniReading = { problems, wording, env: options.env, prefix, php };
  const sections = new IniSections(reading, file);
  const files = await eachIniLine(reading, file, bytes, (line) => sections.take(line));
  const { global, pools } = sections;
  checkPoolCount(pools.length, file);
  const base = options.prefix === undefined ? stateFolder(prefix) : prefix;
  const supervisor = global.entries("supervisor", base);
  return {
    source: { format: "php-fpm-ini", file, files, prefix },
    supervisor: [...supervisor, ...besidePidFileOfRoot(supervisor, "state_dir", ".state")],
    // Not .sock: Debian's pid file is /run/php/php8.2-fpm.pid, and its pool listens on php8.2-fpm.sock.
    admin: besidePidFileOfRoot(supervisor, "socket", ".admin.sock"),
    log: logEntries(reading, global, base),
    metrics: [],
    pools: poolsOf(reading, pools, global),
    daemonize: daemonizeOf(global),
  };
}

/** PHP's --localstatedir, which pid and error_log are relative to. */
function stateFolder(prefix: string): string {
  return prefix === "/usr" ? "/var" : join(prefix, "var");
}

function logEntries({ problems }: IniReading, global: IniSection, base: string): Entry[] {
  const entries = global.entries("log", base);
  const file = global.scalar("error_log");
  if (file?.value === "syslog") {
    const hint = "under systemd stderr goes to the journal; or name a file";
    problems.warn(`${file.label} = syslog: the log goes to stderr instead`, file.where, hint);
  }
  return entries;
}

// php-fpm's own default is 0, and its users' commonest surprise: a reload cuts requests in flight.
const GRACE =
  'drain_timeout is "30s" unless set: so long may a request take at a reload, where php-fpm cuts it at once';

function daemonizeOf(global: IniSection): boolean {
  const scalar = global.scalar("daemonize");
  return scalar === undefined || iniEntry(scalar, "/").raw === true;
}

function poolsOf(
  reading: IniReading,
  sections: readonly IniSection[],
  global: IniSection,
): PoolDraft[] {
  const wanted = sections.map(({ name, where }) => ({ name: name ?? "", where }));
  const names = uniqueNames(wanted, reading.problems);
  const shared = [...program(reading), ...forEveryPool(reading, global)].map(asShared);
  const graceIsGiven = global.scalar("process_control_timeout") !== undefined;
  return sections.map((section, i) => {
    const name = names[i]!;
    const entries = iniPoolEntries({ reading, shared }, section, name);
    return { name, where: section.where, entries, notes: graceIsGiven || i > 0 ? [] : [GRACE] };
  });
}

function asShared(entry: Entry): Entry {
  return { ...entry, shared: true };
}

function program({ prefix, php: { command, runtime, ini } }: IniReading): Entry[] {
  const entries = phpProgram(command, runtime, prefix);
  return ini === null ? entries : [...entries, impliedEntry("php.ini", ini, prefix)];
}

/** Workers inherit these from php-fpm's master where their pool does not say otherwise. */
const INHERITED = new Map([
  ["process.priority", "nice"],
  ["rlimit_files", "rlimit_files"],
  ["rlimit_core", "rlimit_core"],
]);

function forEveryPool(reading: IniReading, global: IniSection): Entry[] {
  const { prefix } = reading;
  const own = global.entries("pool", prefix);
  const inherited = [...INHERITED].flatMap(([written, name]) => {
    const scalar = global.scalar(written);
    if (scalar === undefined || scalar.value === "") return [];
    const entry = { ...iniEntry(scalar, prefix), name };
    return isZeroLimit(entry, reading) ? [] : [entry];
  });
  return [...own, ...inherited];
}
