// Runs the compiled binary: a command to its end, or a supervisor that stays.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MARK } from "./leftovers.ts";
import { SEARCH_PATH } from "./packages.ts";
import { alive } from "./processes.ts";
import { eventually, LONGEST_MS } from "./wait.ts";

/** The binary under test; FCGIVISOR_BINARY names another than the one that build.ts makes. */
export const BINARY =
  process.env["FCGIVISOR_BINARY"] ?? join(import.meta.dir, "../../dist/fcgivisor");

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
  /** CPU time it used, in milliseconds: unlike `ms` the same on a busy machine. */
  readonly cpuMs: number;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Milliseconds after which the command is killed and the outcome is code -1. */
  readonly timeout?: number;
}

/** The environment in which a test's programs run. */
export function testEnvironment(
  dir: string,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { PATH: SEARCH_PATH, HOME: dir, LC_ALL: "C", [MARK]: dir, ...extra };
}

/** Runs a program to its end and collects what it said. */
export async function runCommand(
  dir: string,
  command: readonly string[],
  options: CommandOptions = {},
): Promise<Outcome> {
  const began = performance.now();
  const child = Bun.spawn([...command], {
    cwd: options.cwd ?? dir,
    env: testEnvironment(dir, options.env),
    stdin: options.input === undefined ? "ignore" : Buffer.from(options.input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeout ?? 2 * LONGEST_MS);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  clearTimeout(timer);
  return {
    code: child.signalCode === null ? code : -1,
    stdout,
    stderr,
    ms: performance.now() - began,
    cpuMs: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1000,
  };
}

/** A supervisor under test, however it was started. */
export interface Supervisor {
  readonly pid: number;
  /** Admin socket. */
  readonly socket: string;
  readonly configFile: string;
  /** All it wrote: stderr of a foreground run, and the log file. */
  readonly log: () => string;
  /** Resolves when it has written this: what is seen of a process can be seen before the log tells it. */
  readonly logged: (text: string | RegExp) => Promise<void>;
  /** A command with this supervisor's config: `control("reload", "www")`. */
  readonly control: (...words: string[]) => Promise<Outcome>;
  /** Sends a signal to the supervisor itself. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Resolves when the supervisor's process is gone. */
  readonly gone: () => Promise<void>;
  /** One HTTP request on the admin socket. */
  readonly http: (path: string, init?: RequestInit) => Promise<Response>;
}

/** A handle on the supervisor `pid`. */
export function supervisorOf(
  dir: string,
  pid: number,
  files: { readonly config: string; readonly socket: string },
  log: () => string,
): Supervisor {
  return {
    pid,
    socket: files.socket,
    configFile: files.config,
    log,
    logged: async (text) => {
      const told = () => (typeof text === "string" ? log().includes(text) : text.test(log()));
      await eventually(told, { what: `the log tells ${text}` });
    },
    control: (...words) => runCommand(dir, [BINARY, ...words, "-c", files.config]),
    signal: (signal) => process.kill(pid, signal),
    gone: async () => {
      await eventually(() => !alive(pid), { what: `supervisor ${pid} is gone` });
    },
    http: (path, init) => fetch(`http://localhost${path}`, { ...init, unix: files.socket }),
  };
}

/** Resolves when the admin socket answers /readyz with 200. */
export async function ready(socket: string, stillThere: () => boolean): Promise<void> {
  let gone = false;
  await eventually(
    async () => {
      if (!stillThere()) return (gone = true);
      if (!existsSync(socket)) return false;
      const answer = await fetch("http://localhost/readyz", { unix: socket, keepalive: false });
      await answer.body?.cancel();
      return answer.status === 200;
    },
    { what: `${socket} answers /readyz` },
  );
  if (gone) throw new Error("the supervisor ended before it was ready");
}

/** A file's text, "" while there is none. */
export function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}
