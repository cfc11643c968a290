// The config file of a php-fpm master that serves one group of a pool: one section, static, on the socket
// that it inherits. Written from the pool alone, and never edited: what the operator says stands in the
// config of the supervisor. Pure.

import type { PoolConfig } from "../../config/model.ts";
import { directiveName, POOL_DIRECTIVES } from "../../config/php-fpm/directives.ts";
import { Fault } from "../../fault.ts";
import { LONGEST_LINE } from "./lines.ts";
import { isWritable, quoted } from "./quote.ts";
import { errorSettings } from "../php-ini.ts";

/**
 * What `listen` says, and FPM_SOCKETS: a name for the socket that is inherited. At its exit php-fpm unlinks
 * the file of this name, so it must never be that of a socket that clients use.
 */
export const LISTEN_KEY = "/fcgivisor-inherited";

/** One directive as it stands in the file. */
export interface FpmLine {
  /** As php-fpm has it: "access.log", "php_value[memory_limit]"; null for a section. */
  readonly directive: string | null;
  readonly text: string;
}

export interface FpmConfig {
  /** The line at index 0 is line 1 of the file. */
  readonly lines: readonly FpmLine[];
  readonly text: string;
  /** Variables that its values refer to; the master must have them, and only the master can read them. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface FpmFacts {
  /** Only a master that is root takes on a user, a root directory and a priority. */
  readonly isRoot: boolean;
  /** Children. */
  readonly size: number;
  /** Requests after which a child is replaced; 0 = endless. */
  readonly maxRequests: number;
  /** The pool's own variables, looked up. */
  readonly env: Readonly<Record<string, string>>;
}

export function fpmConfig(pool: PoolConfig, facts: FpmFacts): FpmConfig {
  const file = new FpmFile();
  file.section("global");
  file.word("daemonize", "no");
  // Opened in any case, and not used with -O.
  file.word("error_log", "/dev/null");
  file.word("log_level", "notice");
  file.word("log_limit", String(LONGEST_LINE));
  // Who sends the master a signal by hand is not to cut requests either.
  file.word("process_control_timeout", `${Math.ceil(pool.drainTimeoutMs / 1000)}s`);
  file.section(sectionName(pool.name));
  file.word("listen", LISTEN_KEY);
  file.word("pm", "static");
  file.word("pm.max_children", String(facts.size));
  file.word("pm.max_requests", String(facts.maxRequests));
  writeIdentity(file, pool, facts);
  file.word("clear_env", pool.clearEnv ? "yes" : "no");
  for (const [name, value] of Object.entries(facts.env)) file.variable(name, value);
  // Whether it is shown framed is another matter than whether it comes framed.
  const own = new Map([...outputDirectives(pool), ...pool.fpm, ...FRAME]);
  for (const [name, value] of own) file.directive(name, value);
  for (const [name, value] of errorSettings(pool))
    // What only a whole PHP can be set to, no pool can set otherwise.
    file.value(name.includes(".") ? `php_admin_value[${name}]` : `php_value[${name}]`, value);
  for (const [name, value] of pool.php.defines) file.value(`php_value[${name}]`, value);
  for (const [name, value] of pool.php.admin) file.value(`php_admin_value[${name}]`, value);
  return file.done();
}

/**
 * The output comes with its writer; the children can be looked at without a right to trace. Output that nobody
 * wants is not caught: a child wakes its master after each request to say that it has no more (fpm_stdio.c).
 */
function outputDirectives({ logOutput, php }: PoolConfig): [string, string][] {
  const isCaught = logOutput || php.errors === "log";
  return [
    ["catch_workers_output", isCaught ? "yes" : "no"],
    ["process.dumpable", "yes"],
  ];
}

const FRAME: ReadonlyMap<string, string> = new Map([["decorate_workers_output", "yes"]]);

/** Files a process may open, where the pool does not say: a service manager may allow a million. */
const USUAL_FILES = 1024;

function writeIdentity(file: FpmFile, pool: PoolConfig, { isRoot }: FpmFacts): void {
  if (isRoot) {
    file.value("user", pool.user ?? "root");
    if (pool.group !== null) file.value("group", pool.group);
    if (pool.chroot !== null) file.value("chroot", pool.chroot);
    if (pool.nice !== null) file.word("process.priority", String(pool.nice));
  }
  file.value("chdir", pool.chdir ?? "/");
  const files = pool.rlimitFiles ?? (isRoot ? USUAL_FILES : null);
  if (files !== null) file.word("rlimit_files", String(files));
  if (pool.rlimitCore !== null) file.word("rlimit_core", String(pool.rlimitCore));
}

/** A canary has a name of its own; `$pool` in a path means the pool's. [global] is another section. */
function sectionName(pool: string): string {
  const name = pool.replace(/ \(canary\)$/, "").replace(/[^\w.@+-]/g, "_");
  return name.toLowerCase() === "global" ? `${name}_` : name;
}

class FpmFile {
  private readonly lines: FpmLine[] = [];
  private readonly variables: Record<string, string> = {};

  section(name: string): void {
    this.lines.push({ directive: null, text: `[${name}]` });
  }

  /** A word of ours. */
  word(directive: string, value: string): void {
    this.lines.push({ directive, text: `${directive} = ${value}` });
  }

  /** A directive of the operator's; one whose name ends in `[]` may have several values, one a line. */
  directive(directive: string, value: string): void {
    const { form } = POOL_DIRECTIVES.get(directiveName(directive)) ?? {};
    const values = form === "paths" ? value.split("\n") : [value];
    for (const each of values)
      // php-fpm reads yes and no only where they stand bare, and another text only in quotes.
      if (form === "boolean") this.word(directive, each === "yes" ? "yes" : "no");
      else this.value(directive, each);
  }

  /** Any text. Throws a Fault for a name that would be more than a name. */
  value(directive: string, value: string): void {
    if (
      !/^[^\s=;"'[\]]+(\[[^\s=;"'[\]]*\])?$/.test(directive) ||
      /^(env|php_).*\[\]$/.test(directive)
    )
      throw new Fault(`${JSON.stringify(directive)} is no directive of php-fpm`);
    const text = isWritable(value) ? quoted(value) : `\${${this.reference(value)}}`;
    this.lines.push({ directive, text: `${directive} = ${text}` });
  }

  /** php-fpm itself looks up what begins with `$`, and takes no empty text. */
  variable(name: string, value: string): void {
    const directive = `env[${name}]`;
    const isPlain = value !== "" && !value.startsWith("$") && !value.includes("$pool");
    if (isPlain && isWritable(value)) return this.value(directive, value);
    this.value(directive, `$${this.reference(value)}`);
  }

  done(): FpmConfig {
    const { lines, variables } = this;
    return { lines, variables, text: lines.map(({ text }) => `${text}\n`).join("") };
  }

  private reference(value: string): string {
    const name = `FCGIVISOR_VALUE_${Object.keys(this.variables).length}`;
    this.variables[name] = value;
    return name;
  }
}
