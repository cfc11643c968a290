// Where the demo plays: a folder of its own with config, page, sockets and log, and this very program
// called as an operator would call it. Nothing outside the folder is touched.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../../fault.ts";
import { type FcgiResponse, fcgiRequest, paramsFor } from "../../fcgi/client.ts";
import { now } from "../../sys/clock.ts";
import { capture } from "../../sys/process.ts";
import { isCompiled } from "../../sys/exec/self.ts";

export interface Said {
  readonly output: string;
  readonly ms: number;
}

export const WORKERS = 4;
/** What takes longer hangs, however slow the machine is. */
const COMMAND_MS = 120_000;
const REQUEST_MS = 60_000;

const PAGE = `<?php
usleep(1000 * (int)($_GET['ms'] ?? 0));
echo "hello from PHP ", PHP_VERSION, ", pid ", getmypid(), "\\n";
if (isset($_GET["behind"])) {
    fastcgi_finish_request();
    usleep((int) $_GET["behind"] * 1000);
    file_put_contents(__DIR__ . "/behind", getmypid());
}
`;

/** How the pool's program differs: PHP looks for a script, the embedded responder at the path. */
interface Program {
  readonly title: string;
  readonly settings: string;
  /** Whether its page is a file below the document root. */
  readonly readsFiles: boolean;
  readonly urlOf: (ms: number) => string;
  /** Asks for a page that goes on for so long behind its answer; null = the program cannot. */
  readonly behindUrlOf: ((ms: number) => string) | null;
}

export class DemoStage {
  private readonly dir = mkdtempSync(join(tmpdir(), "fcgivisor-demo-"));
  private readonly root = join(this.dir, "www");
  private readonly program: Program;
  readonly configFile = join(this.dir, "fcgivisor.toml");
  /** The control socket. */
  readonly socket = join(this.dir, "admin.sock");

  private constructor(program: Program) {
    this.program = program;
  }

  /** Makes the folder; with php-fpm where there is one, else php-cgi, unless `embedded` is asked for. */
  static set(embedded: boolean): DemoStage {
    const stage = new DemoStage((embedded ? null : php()) ?? responder());
    mkdirSync(stage.root);
    writeFileSync(join(stage.root, "index.php"), PAGE);
    writeFileSync(stage.configFile, configText(stage.dir, stage.program));
    return stage;
  }

  /** What serves, for people. */
  get title(): string {
    return this.program.title;
  }
  /** The words of `fcgivisor request` that ask for the page. */
  get page(): readonly string[] {
    const url = this.program.urlOf(0);
    return this.program.readsFiles ? [url, "--root", this.root] : [url];
  }
  get log(): string {
    const file = join(this.dir, "fcgivisor.log");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  /** Calls fcgivisor with this word, as shown by `shown`. Throws a Fault unless it exits 0. */
  command(word: string, ...more: string[]): Promise<Said> {
    return callSelf(this.words(word, more));
  }

  /** The command as an operator would type it. */
  shown(word: string, ...more: string[]): string {
    return ["fcgivisor", ...this.words(word, more)].join(" ");
  }

  /** One request; `ms` is how long the page takes. Throws unless it is answered with 200. */
  request(ms: number): Promise<FcgiResponse> {
    return this.ask(this.program.urlOf(ms));
  }

  private async ask(url: string): Promise<FcgiResponse> {
    const params = paramsFor({ method: "GET", url, documentRoot: this.root });
    const address = { kind: "unix", path: join(this.dir, "www.sock") } as const;
    const response = await fcgiRequest({ address, params, timeoutMs: REQUEST_MS });
    if (response.status !== 200) throw new Fault(`answered with status ${response.status}`);
    return response;
  }

  /** Whether the program can go on behind its answer. */
  get goesOnBehind(): boolean {
    return this.program.behindUrlOf !== null;
  }

  /** One request whose script goes on for so long when it is answered. */
  requestBehind(ms: number): Promise<FcgiResponse> {
    return this.ask(this.program.behindUrlOf!(ms));
  }

  /** Which worker has come to the end of such a script; null = none yet. */
  get endedBehind(): string | null {
    const file = join(this.root, "behind");
    return existsSync(file) ? readFileSync(file, "utf8") : null;
  }

  /** Stops what still runs, removes the folder. */
  async tearDown(): Promise<void> {
    if (existsSync(this.socket)) await this.command("stop").catch(() => {});
    rmSync(this.dir, { recursive: true, force: true });
  }

  private words(word: string, more: readonly string[]): string[] {
    return [word, "-c", this.configFile, ...more];
  }
}

/** php-fpm, php-fpm8.2, …: the plain one, then the newest. */
const PHP_FPM_NAMES = [
  "php-fpm",
  ...[9, 8, 7].flatMap((major) =>
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((minor) => `php-fpm${major}.${minor}`),
  ),
];

function php(): Program | null {
  const PATH = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;
  const isOurs = (path: string) => realpathSync(path) === realpathSync(process.execPath);
  const found = PHP_FPM_NAMES.map((name) => Bun.which(name, { PATH }));
  const fpm = found.find((path) => path !== null && !isOurs(path));
  const cgi = Bun.which("php-cgi");
  if (fpm) return phpOf("php-fpm", fpm);
  return cgi === null ? null : phpOf("php-cgi", cgi);
}

function phpOf(runtime: "php-fpm" | "php-cgi", path: string): Program {
  return {
    title: runtime,
    settings: `command = [${JSON.stringify(path)}]\nruntime = "${runtime}"`,
    readsFiles: true,
    urlOf: (ms) => (ms === 0 ? "/index.php" : `/index.php?ms=${ms}`),
    behindUrlOf: runtime === "php-fpm" ? (ms) => `/index.php?behind=${ms}` : null,
  };
}

function responder(): Program {
  const command = [...selfWords(), "responder"].map((word) => JSON.stringify(word));
  return {
    title: "the embedded responder",
    settings: `command = [${command.join(", ")}]\nruntime = "libfcgi"`,
    readsFiles: false,
    urlOf: (ms) => (ms === 0 ? "/" : `/sleep?ms=${ms}`),
    behindUrlOf: null,
  };
}

function configText(dir: string, program: Program): string {
  const path = (name: string) => JSON.stringify(join(dir, name));
  // In a folder that nobody else can enter, root's workers do no harm.
  const root = process.getuid?.() === 0 ? "allow_root = true\n" : "";
  return `[supervisor]
state_dir = ${JSON.stringify(dir)}
pid_file = ${path("fcgivisor.pid")}
${root}
[log]
file = ${path("fcgivisor.log")}

[pools.www]
listen = ${path("www.sock")}
${program.settings}
workers = ${WORKERS}
start_timeout = "1m"
`;
}

function selfWords(): string[] {
  return isCompiled() ? [process.execPath] : [process.execPath, Bun.main];
}

async function callSelf(words: readonly string[]): Promise<Said> {
  const began = now();
  const said = await capture(
    { argv: [...selfWords(), ...words], env: ownEnvironment() },
    COMMAND_MS,
  );
  if (said.failure === null) return { output: said.output, ms: now() - began };
  throw new Fault(`fcgivisor ${words[0]} ${said.failure}`, {
    cause: said.output.trim() || "it said nothing",
  });
}

function ownEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries as [string, string][]);
}
