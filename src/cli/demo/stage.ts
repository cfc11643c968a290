// Where the demo plays: a folder of its own with config, page, sockets and log, and this very program
// called as an operator would call it. Nothing outside the folder is touched.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../../fault.ts";
import { type FcgiResponse, fcgiRequest, paramsFor } from "../../fcgi/client.ts";
import { now } from "../../sys/clock.ts";
import { capture } from "../../sys/process.ts";
import { isCompiled } from "../../sys/exec/self.ts";

export interface Stage {
  /** What serves, for people. */
  readonly title: string;
  readonly configFile: string;
  /** The control socket. */
  readonly socket: string;
  /** The words of `fcgivisor request` that ask for the page. */
  readonly page: readonly string[];
  /** Calls fcgivisor with this word, as shown by `shown`. Throws a Fault unless it exits 0. */
  command(word: string, ...more: string[]): Promise<Said>;
  /** The command as an operator would type it. */
  shown(word: string, ...more: string[]): string;
  /** One request; `ms` is how long the page takes. Throws unless it is answered with 200. */
  request(ms: number): Promise<FcgiResponse>;
  log(): string;
  /** Stops what still runs, removes the folder. */
  tearDown(): Promise<void>;
}

export interface Said {
  readonly output: string;
  readonly ms: number;
}

export const WORKERS = 4;
const COMMAND_MS = 20_000;
const REQUEST_MS = 10_000;

const PAGE = `<?php
usleep(1000 * (int)($_GET['ms'] ?? 0));
echo "hello from PHP ", PHP_VERSION, ", pid ", getmypid(), "\\n";
`;

/** How the pool's program differs: PHP looks for a script, the embedded responder at the path. */
interface Program {
  readonly title: string;
  readonly settings: string;
  readonly urlOf: (ms: number) => string;
}

/** Makes the folder; with php-cgi where PATH has it, unless `embedded` is asked for. */
export function setStage(embedded: boolean): Stage {
  const dir = mkdtempSync(join(tmpdir(), "fcgivisor-demo-"));
  const php = embedded ? null : Bun.which("php-cgi");
  const program = php === null ? responder() : phpCgi(php);
  const root = join(dir, "www");
  const file = join(dir, "fcgivisor.toml");
  const logFile = join(dir, "fcgivisor.log");
  const listen = join(dir, "www.sock");
  const socket = join(dir, "admin.sock");
  mkdirSync(root);
  writeFileSync(join(root, "index.php"), PAGE);
  writeFileSync(file, configText(dir, program));

  const words = (word: string, more: readonly string[]) => [word, "-c", file, ...more];
  const log = () => (existsSync(logFile) ? readFileSync(logFile, "utf8") : "");
  const command = (word: string, ...more: string[]) => callSelf(words(word, more));
  return {
    title: program.title,
    configFile: file,
    socket,
    page: php === null ? ["/"] : ["/index.php", "--root", root],
    command,
    shown: (word, ...more) => ["fcgivisor", ...words(word, more)].join(" "),
    async request(ms) {
      const params = paramsFor({ method: "GET", url: program.urlOf(ms), documentRoot: root });
      const address = { kind: "unix", path: listen } as const;
      const response = await fcgiRequest({ address, params, timeoutMs: REQUEST_MS });
      if (response.status !== 200) throw new Fault(`answered with status ${response.status}`);
      return response;
    },
    log,
    async tearDown() {
      if (existsSync(socket)) await command("stop").catch(() => {});
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function phpCgi(path: string): Program {
  return {
    title: "php-cgi",
    settings: `command = [${JSON.stringify(path)}]\nruntime = "php-cgi"`,
    urlOf: (ms) => (ms === 0 ? "/index.php" : `/index.php?ms=${ms}`),
  };
}

function responder(): Program {
  const command = [...selfWords(), "responder"].map((word) => JSON.stringify(word));
  return {
    title: "the embedded responder",
    settings: `command = [${command.join(", ")}]\nruntime = "libfcgi"`,
    urlOf: (ms) => (ms === 0 ? "/" : `/sleep?ms=${ms}`),
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
