// `fcgivisor/testing`: a supervisor with its pools for the time of a test, in a user's own `bun test`. It is the command
// `fcgivisor with` and others, called as a person would: nothing of the program is imported, so that this one file is all
// that a package needs of it. When the test's process ends, in whatever way, the supervisor ends as well.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** A value of a config, as TOML has them. */
export type Value =
  string | number | boolean | readonly Value[] | { readonly [name: string]: Value };

export interface FcgivisorOptions {
  /** A config file; its pools get private sockets instead of their own. */
  readonly config?: string;
  /** Settings otherwise than in that file: `{ "pools.www.workers": 2 }`. */
  readonly set?: Readonly<Record<string, string | number | boolean>>;
  /** Pools without a file, by name; each has `command`, and what else `[pools.NAME]` may have, but for `listen`. */
  readonly pools?: Readonly<Record<string, { readonly [setting: string]: Value }>>;
  /** One pool of this program, in this folder: `["php-cgi"]`. */
  readonly command?: readonly string[];
  /** The folder that relative paths of `pools` and `command` are relative to; the current one unless given. */
  readonly cwd?: string;
  /** The program; looked for beside this package and in PATH unless given, or named by $FCGIVISOR_BINARY. */
  readonly binary?: string;
}

export interface RequestOptions {
  /** The first one unless given. */
  readonly pool?: string;
  /** GET unless given, or POST with a body. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** What the program wrote on its FastCGI stderr, such as PHP's warnings. */
  readonly stderr: string;
  readonly json: () => unknown;
}

export interface Fcgivisor extends AsyncDisposable {
  /** Path of the first pool's socket. */
  readonly address: string;
  /** Path of a pool's socket. */
  readonly addressOf: (pool: string) => string;
  /** One FastCGI request; any status is an answer. */
  readonly request: (path: string, options?: RequestOptions) => Promise<Answer>;
  /** Resolves to the report when the old workers have left. Without names: all pools. */
  readonly reload: (...pools: string[]) => Promise<Record<string, unknown>>;
  /** What `fcgivisor status --json` prints. */
  readonly status: () => Promise<Record<string, unknown>>;
  /** The log so far. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

/** What went wrong, and the end of the supervisor's log. */
export class FcgivisorError extends Error {
  readonly log: string;

  constructor(message: string, log: string) {
    super(log === "" ? message : `${message}\n--- the log of fcgivisor:\n${log}`);
    this.name = "FcgivisorError";
    this.log = log;
  }
}

/** Starts it, and returns when every pool serves. Throws an FcgivisorError that says why it does not. */
export async function startFcgivisor(options: FcgivisorOptions): Promise<Fcgivisor> {
  const binary = options.binary ?? findBinary();
  const cwd = options.cwd ?? process.cwd();
  const { words, remove } = wordsFor(options, cwd);
  // The command tells its environment, and waits until its input is closed: by `stop`, or because this process has ended.
  const exec = ["--exec", "env -0; printf '\\0'; exec cat >/dev/null"];
  const child = Bun.spawn([binary, "with", ...exec, ...words], {
    cwd,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const said = new Response(child.stderr).text();
  const env = await environment(child.stdout);
  if (env === null) {
    remove();
    throw new FcgivisorError(`fcgivisor did not start: ${(await said).trim()}`, "");
  }
  let stopping: Promise<void> | null = null;
  const stop = async () => {
    await child.stdin.end();
    await child.exited;
    remove();
  };
  return appOf(binary, env, () => (stopping ??= stop()));
}

type Environment = ReadonlyMap<string, string>;

function appOf(binary: string, env: Environment, stop: () => Promise<void>): Fcgivisor {
  const config = env.get("FCGIVISOR_CONFIG")!;
  const logFile = join(dirname(config), "fcgivisor.log");
  const log = () => (existsSync(logFile) ? readFileSync(logFile, "utf8") : "");
  const call = async (words: readonly string[], stdin = "") => {
    const child = Bun.spawn([binary, ...words, "--json", "-c", config], {
      stdio: [Buffer.from(stdin), "pipe", "pipe"],
    });
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    await child.exited;
    const result = parsed(out);
    if (result === null || result["ok"] === false) throw new FcgivisorError(err.trim(), log());
    return result;
  };
  return {
    address: env.get("FCGI_ADDRESS")!,
    addressOf: (pool) => {
      const address = env.get(`FCGI_ADDRESS_${pool.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`);
      if (address === undefined) throw new FcgivisorError(`there is no pool "${pool}"`, "");
      return address;
    },
    request: async (path, options = {}) =>
      answerOf(await call(requestWords(path, options), options.body)),
    reload: async (...pools) =>
      (await call(["reload", ...pools]))["report"] as Record<string, unknown>,
    status: () => call(["status"]),
    log,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function requestWords(
  path: string,
  { pool, method, headers = {}, body }: RequestOptions,
): string[] {
  return [
    "request",
    path,
    ...(pool === undefined ? [] : ["--pool", pool]),
    ...(method === undefined ? [] : ["--method", method]),
    ...Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]),
    ...(body === undefined ? [] : ["--data", "-"]),
  ];
}

function answerOf(json: Record<string, unknown>): Answer {
  const { status, headers, body, body_base64, stderr } = json as {
    status: number;
    headers: [string, string][];
    body?: string;
    body_base64?: string;
    stderr: string;
  };
  const text = body ?? Buffer.from(body_base64 ?? "", "base64").toString("latin1");
  return { status, headers: new Headers(headers), text, stderr, json: () => JSON.parse(text) };
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** What the command told of its environment; null when it ended before. */
async function environment(stdout: ReadableStream<Uint8Array>): Promise<Environment | null> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stdout) {
    text += decoder.decode(chunk, { stream: true });
    if (text.endsWith("\0\0")) {
      const pairs = text.split("\0").map((line) => line.split(/=(.*)/s));
      return new Map(pairs.map(([name = "", value = ""]) => [name, value]));
    }
  }
  return null;
}

interface Words {
  readonly words: readonly string[];
  readonly remove: () => void;
}

function wordsFor({ config, set = {}, pools, command }: FcgivisorOptions, cwd: string): Words {
  const given = [config, pools, command].filter((one) => one !== undefined).length;
  if (given !== 1)
    throw new FcgivisorError("startFcgivisor takes one of config, pools and command", "");
  const sets = Object.entries(set).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  const nothing = () => {};
  if (command !== undefined) return { words: [...sets, "--", ...command], remove: nothing };
  if (config !== undefined)
    return { words: [...sets, "-c", resolve(cwd, config)], remove: nothing };
  const folder = mkdtempSync(join(tmpdir(), "fcgivisor-test-"));
  const file = join(folder, "fcgivisor.toml");
  writeFileSync(file, tomlOf(pools!, cwd));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  return { words: [...sets, "-c", file], remove };
}

function tomlOf(pools: NonNullable<FcgivisorOptions["pools"]>, cwd: string): string {
  const root = process.getuid?.() === 0 ? ["[supervisor]", "allow_root = true"] : [];
  const tables = Object.entries(pools).flatMap(([name, { chdir = ".", ...settings }], i) => [
    `[pools.${JSON.stringify(name)}]`,
    // `with` puts a private one in its place.
    `listen = "/fcgivisor-${i}.sock"`,
    `chdir = ${JSON.stringify(resolve(cwd, String(chdir)))}`,
    ...Object.entries(settings).map(([key, value]) => `${key} = ${toml(value)}`),
  ]);
  return `${[...root, ...tables].join("\n")}\n`;
}

/** JSON's strings, numbers and booleans are TOML's. */
function toml(value: Value): string {
  if (Array.isArray(value)) return `[${value.map((one: Value) => toml(one)).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(
    ([key, one]) => `${JSON.stringify(key)} = ${toml(one as Value)}`,
  );
  return `{ ${pairs.join(", ")} }`;
}

function findBinary(): string {
  const require = createRequire(import.meta.url);
  const own = [join(import.meta.dir, "../../dist/fcgivisor")].filter((path) => existsSync(path));
  const packaged = ["", "-musl"].flatMap((libc) => {
    try {
      return [require.resolve(`@fcgivisor/linux-${process.arch}${libc}/bin/fcgivisor`)];
    } catch {
      return []; // It is not for this machine.
    }
  });
  const found = [process.env["FCGIVISOR_BINARY"], ...packaged, ...own, Bun.which("fcgivisor")];
  const binary = found.find((path) => path != null && path !== "");
  if (binary != null) return binary;
  throw new FcgivisorError(
    "there is no program fcgivisor: install the package of this machine, or name it in $FCGIVISOR_BINARY",
    "",
  );
}
