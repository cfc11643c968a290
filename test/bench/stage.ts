// Where one contender plays: a folder of its own with scripts, configs and sockets. Whatever was started
// in it is found by what it holds and ended by pid, since daemons do not stay anybody's children.

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { leftoverPids } from "../helper/leftovers.ts";
import { alive, type Where } from "../helper/processes.ts";
import { runCommand, testEnvironment, type Outcome } from "../helper/program.ts";
import type { Spawned } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

export interface Stage {
  readonly dir: string;
  readonly path: (...parts: string[]) => string;
  readonly write: (name: string, text: string, mode?: number) => string;
  /** Absolute path of a script of test/fixture/php. */
  readonly script: (name: string) => string;
  /** Where the pool of the contender listens, as a client wants it and as one writes it. */
  readonly where: Where;
  readonly listen: string;
  /** A program to its end. */
  readonly command: (words: readonly string[], timeout?: number) => Promise<Outcome>;
  /** A program that stays; ended with the stage. */
  readonly spawn: (words: readonly string[]) => Spawned;
  readonly port: () => Promise<number>;
  /** Ends what still runs and removes the folder. */
  readonly end: () => Promise<void>;
}

const FIXTURES = join(import.meta.dir, "../fixture/php");
const SCRIPTS = ["hello.php", "slow.php"];

/** The longest that a command of a contender may take. */
const COMMAND_MS = 40_000;

/** Says whether OPcache is on, so that nobody is measured without it. */
const OPCACHE = `<?php echo (opcache_get_status(false)["opcache_enabled"] ?? false) ? "on" : "off";\n`;

const open = new Set<Stage>();

/** Ends every stage that is still there: for whoever has to leave in the middle. */
export async function endStages(): Promise<void> {
  for (const stage of open) await stage.end();
}

export type Transport = "unix" | "tcp";

export async function setStage(transport: Transport = "unix"): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), "fv-bench-"));
  const ports: number[] = [];
  const path = (...parts: string[]): string => join(dir, ...parts);
  // Workers run as somebody else where the bench runs as root.
  chmodSync(dir, 0o755);
  mkdirSync(path("www"));
  for (const name of SCRIPTS) copyFileSync(join(FIXTURES, name), path("www", name));
  writeFileSync(path("www/opcache.php"), OPCACHE);
  const where: Where =
    transport === "unix"
      ? { path: path("www.sock") }
      : { host: "127.0.0.1", port: await freePort(ports) };
  const stage: Stage = {
    dir,
    path,
    write(name, text, mode = 0o644) {
      const file = path(name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      chmodSync(file, mode);
      return file;
    },
    script: (name) => path("www", name),
    where,
    listen: "path" in where ? where.path : `${where.host}:${where.port}`,
    command: (words, timeout = COMMAND_MS) => runCommand(dir, words, { timeout }),
    spawn: (words) => spawnIn(dir, words),
    port: () => freePort(ports),
    async end() {
      await endAll(dir, ports);
      rmSync(dir, { recursive: true, force: true });
      open.delete(stage);
    },
  };
  open.add(stage);
  return stage;
}

function spawnIn(dir: string, words: readonly string[]): Spawned {
  const child = Bun.spawn([...words], {
    cwd: dir,
    env: testEnvironment(dir),
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) said += decoder.decode(chunk, { stream: true });
  })();
  return {
    pid: child.pid,
    stderr: () => said,
    exited: child.exited,
    kill: (signal) => child.kill(signal),
  };
}

/** Managers first by TERM; then whatever a killed manager left, again and again till nothing is found. */
async function endAll(dir: string, ports: readonly number[]): Promise<void> {
  let signal: NodeJS.Signals = "SIGTERM";
  await eventually(
    async () => {
      const pids = leftoverPids(dir, ports);
      for (const pid of pids) if (alive(pid)) process.kill(pid, signal);
      if (pids.length > 0) await Bun.sleep(signal === "SIGTERM" ? 300 : 20);
      signal = "SIGKILL";
      return pids.length === 0;
    },
    { what: `everything started in ${dir} has ended` },
  );
}

/** Adds it to those that are looked at in the end. */
function freePort(taken: number[]): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer().once("error", reject);
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as { port: number };
    taken.push(port);
    server.close(() => resolve(port));
  });
  return promise;
}
