// One behaviour test: a folder of its own, ports of its own, the compiled binary, and at the end a look
// for anything left behind, which fails the test. `behaviour()` is `test()` with all that around it.

import { test } from "bun:test";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { stringify } from "smol-toml";
import { canOverlay } from "./openrc.ts";
import { leftoverPids, leftovers } from "./leftovers.ts";
import { missing, packageOf, type Part } from "./packages.ts";
import { alive } from "./processes.ts";
import {
  BINARY,
  ready,
  runCommand,
  supervisorOf,
  testEnvironment,
  textOf,
  type CommandOptions,
  type Outcome,
  type Supervisor,
} from "./program.ts";
import { canBeDear, canDivide, canFreeze, canLimit } from "./kernel.ts";
import { stderrPipe, type StderrPipe } from "./stderr-pipe.ts";
import { systemdRuns } from "./systemd.ts";
import { eventually } from "./wait.ts";

type Table = Record<string, unknown>;

/** A config as TOML has it; what a test does not say gets a value that fits its folder. */
export interface Settings {
  readonly supervisor?: Table;
  readonly admin?: Table;
  readonly log?: Table;
  readonly metrics?: Table;
  readonly pools: Readonly<Record<string, Table>>;
}

export interface Scene {
  readonly dir: string;
  readonly path: (...parts: string[]) => string;
  /** Writes a file below the folder, making its parents, and returns its path. */
  readonly write: (name: string, text: string, mode?: number) => string;
  /** Copies a file of test/fixture into the folder (readable by any user), and returns its path. */
  readonly fixture: (name: string) => string;
  /** A TCP port that is free on every address. */
  readonly port: () => Promise<number>;
  /** Writes the settings as TOML, by default to `fcgivisor.toml`, and returns the path. */
  readonly config: (settings: Settings, name?: string) => string;
  /** The same for a supervisor in the background: it logs to a file of the scene's. */
  readonly daemonConfig: (settings: Settings) => string;
  /** Starts a supervisor in the foreground and waits until it is ready. */
  readonly run: (settings: Settings, options?: RunOptions) => Promise<Foreground>;
  /** Starts one in the background by `start`, which must succeed. */
  readonly start: (settings: Settings, options?: CommandOptions) => Promise<Supervisor>;
  /** Writes another config over that of a supervisor that was `start`ed. */
  readonly rewrite: (settings: Settings) => void;
  /** Follows the supervisor that a `start` of the test's own has left, with a config by `daemonConfig`. */
  readonly followDaemon: (config: string) => Supervisor;
  /** Spawns a long-lived program whose stderr goes to `log`; killed at the end of the test. */
  readonly spawn: (command: readonly string[], options?: CommandOptions) => Spawned;
  /** Follows a supervisor that a command of the test's own has started. */
  readonly follow: (pid: number, config: string, socket: string, log: () => string) => Supervisor;
  /** The binary with these words, to its end. */
  readonly fcgivisor: (words: readonly string[], options?: CommandOptions) => Promise<Outcome>;
  /** Any program to its end. */
  readonly command: (words: readonly string[], options?: CommandOptions) => Promise<Outcome>;
  /** Runs at the end of the test, last one first. */
  readonly atEnd: (undo: () => void | Promise<void>) => void;
}

export interface Spawned {
  readonly pid: number;
  readonly stderr: () => string;
  readonly exited: Promise<number>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

export interface RunOptions extends CommandOptions {
  /** A program, with its arguments, that becomes the supervisor. */
  readonly under?: readonly string[];
  /** Another copy of the program than the one under test. */
  readonly binary?: string;
}

/** A supervisor that is a child of the test. */
export interface Foreground extends Supervisor {
  /** Its exit code. */
  readonly exited: Promise<number>;
}

export type Need =
  | Part
  | "root"
  | "ipv6"
  | "a network of its own"
  | "mounting"
  | "a loop device"
  | "an overlay mount"
  | "a control group for memory"
  | "a control group for pids"
  | "a unified control group"
  | "keyrings"
  | "a lower oom_score_adj"
  | "a systemd that can run";

export interface BehaviourOptions {
  readonly needs?: readonly Need[];
}

export const AM_ROOT = process.getuid?.() === 0;

export const NOBODY = 65534;
/** Runs what follows as nobody. */
export const AS_NOBODY = [
  "setpriv",
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  "--clear-groups",
] as const;
/** Runs what follows without the right to look into processes of others, as in most containers. */
export const WITHOUT_PTRACE = ["setpriv", "--bounding-set", "-sys_ptrace", "--"] as const;

/** The user that workers run as where a test does not care; none unless root. */
export const WORKER_USER: Table = AM_ROOT ? { user: "www-data" } : {};

/** No verdict hangs on it: some waits of a test may last as long as a wait can. */
const TEST_LIMIT_MS = 600_000;

const ROOT = join(import.meta.dir, "../..");

/** A test of the compiled binary. What cannot run here is skipped, the reason in its title. */
export function behaviour(
  title: string,
  options: BehaviourOptions,
  story: (scene: Scene) => Promise<void>,
): void {
  const { needs = [] } = options;
  const lacking = needs.filter(isLacking);
  const reason = lacking.map(lackText).join(", ");
  const mustRun = process.env["CI"] === "true" && lacking.some(isPart);
  if (lacking.length > 0 && !mustRun) {
    test.skipIf(true)(`${title} (skipped: needs ${reason})`, () => undefined);
    return;
  }
  test(
    title,
    async () => {
      if (lacking.length > 0) throw new Error(`needs ${reason}`);
      await play(story);
    },
    TEST_LIMIT_MS,
  );
}

const NO_PARTS: readonly Need[] = [
  "root",
  "ipv6",
  "a network of its own",
  "mounting",
  "a loop device",
  "an overlay mount",
  "a control group for memory",
  "a control group for pids",
  "a unified control group",
  "keyrings",
  "a lower oom_score_adj",
  "a systemd that can run",
];

function isPart(need: Need): need is Part {
  return !NO_PARTS.includes(need);
}

function isLacking(need: Need): boolean {
  if (need === "root") return !AM_ROOT;
  if (need === "ipv6") {
    const table = "/proc/net/if_inet6";
    return !existsSync(table) || !readFileSync(table, "utf8").includes("00000001 01 80");
  }
  if (need === "mounting") return !canUnshare("--mount");
  if (need === "a network of its own") return !canUnshare("--net");
  if (need === "a loop device") return !AM_ROOT || !canFreeze();
  if (need === "an overlay mount") return !AM_ROOT || !canOverlay();
  if (need === "a control group for memory") return !canLimit("memory");
  if (need === "a control group for pids") return !canLimit("pids");
  if (need === "keyrings") return !existsSync("/proc/keys");
  if (need === "a lower oom_score_adj") return !canBeDear();
  if (need === "a unified control group") return !AM_ROOT || !canDivide();
  if (need === "a systemd that can run") return !AM_ROOT || !systemdRuns();
  return missing([need]).length > 0;
}

function canUnshare(what: "--mount" | "--net"): boolean {
  if (Bun.which("unshare") === null) return false;
  return Bun.spawnSync(["unshare", what, "true"], { stderr: "ignore" }).exitCode === 0;
}

function lackText(need: Need): string {
  if (!isPart(need)) return need;
  return `Debian package ${packageOf(need)}`;
}

async function play(story: (scene: Scene) => Promise<void>): Promise<void> {
  const stage = setUp();
  const problems: unknown[] = [];
  try {
    await story(stage.scene);
  } catch (error) {
    problems.push(error);
  }
  await tearDown(stage, problems);
  if (problems.length === 0) return;
  for (const problem of problems.slice(1)) console.error(`--- and: ${problem}`);
  throw problems[0];
}

/** All that programs of the test said, to a pipe or to a log in its folder. */
function printLogs({ logs, scene }: Stage): void {
  const names = readdirSync(scene.dir).filter((name) => name.endsWith(".log"));
  const files = names.map((name) => textOf(scene.path(name)));
  const texts = new Set([...logs.map((log) => log()), ...files]);
  for (const text of texts) {
    if (text !== "") console.error(`--- what its programs said:\n${text.slice(-8_000)}`);
  }
}

interface Stage {
  readonly scene: Scene;
  readonly ports: number[];
  readonly undos: (() => void | Promise<void>)[];
  readonly supervisors: Supervisor[];
  readonly logs: (() => string)[];
}

/** Ends what still runs, by TERM first; what is left all the same is one more problem. */
async function tearDown(stage: Stage, problems: unknown[]): Promise<void> {
  const { dir } = stage.scene;
  const attempt = async (what: () => unknown): Promise<void> => {
    try {
      await what();
    } catch (error) {
      problems.push(error);
    }
  };
  for (const supervisor of stage.supervisors.filter((s) => alive(s.pid))) {
    await attempt(async () => {
      supervisor.signal("SIGTERM");
      await supervisor.gone();
    });
  }
  for (const undo of stage.undos.toReversed()) await attempt(undo);
  await attempt(() =>
    eventually(() => leftovers(dir, stage.ports).length === 0).catch(() => {
      throw new Error(`left behind:\n  ${leftovers(dir, stage.ports).join("\n  ")}`);
    }),
  );
  for (const pid of leftoverPids(dir, stage.ports))
    await attempt(() => process.kill(pid, "SIGKILL"));
  if (problems.length > 0) await attempt(() => printLogs(stage));
  await attempt(() => rmSync(dir, { recursive: true, force: true }));
}

function setUp(): Stage {
  const dir = mkdtempSync(join(tmpdir(), "fv-"));
  chmodSync(dir, 0o755);
  const ports: number[] = [];
  const undos: Stage["undos"] = [];
  const supervisors: Supervisor[] = [];
  const logs: Stage["logs"] = [];

  const scene: Scene = {
    dir,
    path: (...parts) => join(dir, ...parts),
    write: (name, text, mode = 0o644) => {
      const file = isAbsolute(name) ? name : join(dir, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      chmodSync(file, mode);
      return file;
    },
    fixture: (name) => {
      const file = join(dir, "www", name);
      // One that is just being started cannot be written to.
      if (existsSync(file)) return file;
      mkdirSync(dirname(file), { recursive: true });
      copyFileSync(join(ROOT, "test/fixture", name), file);
      chmodSync(file, 0o755);
      return file;
    },
    port: async () => {
      const port = await freePort();
      ports.push(port);
      return port;
    },
    config: (settings, name = "fcgivisor.toml") =>
      scene.write(name, stringify(withDefaults(dir, settings))),
    daemonConfig: (settings) => scene.config(withLog(dir, settings)),
    run: async (settings, { under = [], binary = BINARY, ...options } = {}) => {
      const config = scene.config(settings);
      const child = scene.spawn([...under, binary, "run", "-c", config], options);
      const supervisor = scene.follow(child.pid, config, socketOf(dir, settings), () =>
        [child.stderr(), textOf(logFileOf(settings) ?? "")].join(""),
      );
      await ready(supervisor.socket, () => alive(child.pid));
      return { ...supervisor, exited: child.exited };
    },
    start: async (settings, options) => {
      const log = logFileOf(settings) ?? join(dir, "fcgivisor.log");
      const config = scene.daemonConfig(settings);
      logs.push(() => textOf(log));
      const outcome = await scene.fcgivisor(["start", "-c", config], options);
      if (outcome.code !== 0) throw new Error(`start: exit ${outcome.code}: ${outcome.stderr}`);
      const pid = Number(textOf(join(dir, "run/fcgivisor.pid")));
      if (!(pid > 0)) throw new Error(`start: exit 0, but no pid file; it said: ${outcome.stderr}`);
      return scene.follow(pid, config, socketOf(dir, settings), () => textOf(log));
    },
    rewrite: (settings) => void scene.daemonConfig(settings),
    follow: (pid, config, socket, log) => {
      const supervisor = supervisorOf(dir, pid, { config, socket }, log);
      supervisors.push(supervisor);
      logs.push(log);
      return supervisor;
    },
    followDaemon: (config) => {
      const pid = Number(textOf(join(dir, "run/fcgivisor.pid")));
      const log = () => textOf(join(dir, "fcgivisor.log"));
      return scene.follow(pid, config, join(dir, "run/admin.sock"), log);
    },
    spawn: (command, options) => {
      const stderr = stderrPipe();
      undos.push(stderr.close);
      const spawned = spawnLogged(dir, command, stderr, options);
      logs.push(spawned.stderr);
      undos.push(async () => {
        if (alive(spawned.pid)) spawned.kill("SIGTERM");
        await eventually(() => !alive(spawned.pid)).catch(() => spawned.kill("SIGKILL"));
      });
      return spawned;
    },
    fcgivisor: (words, options) => runCommand(dir, [BINARY, ...words], options),
    command: (words, options) => runCommand(dir, words, options),
    atEnd: (undo) => undos.push(undo),
  };
  return { scene, ports, undos, supervisors, logs };
}

function spawnLogged(
  dir: string,
  command: readonly string[],
  stderr: StderrPipe,
  options: CommandOptions = {},
): Spawned {
  const child = Bun.spawn([...command], {
    cwd: options.cwd ?? dir,
    env: testEnvironment(dir, options.env),
    stdio: ["ignore", "ignore", stderr.writeEnd],
  });
  closeSync(stderr.writeEnd);
  return {
    pid: child.pid,
    stderr: stderr.text,
    exited: child.exited,
    kill: (signal) => child.kill(signal),
  };
}

/** Who runs in the background logs to a file of the scene's, unless the test names another. */
function withLog(dir: string, settings: Settings): Settings {
  return { ...settings, log: { file: join(dir, "fcgivisor.log"), ...settings.log } };
}

function withDefaults(dir: string, settings: Settings): Table {
  const pools = Object.entries(settings.pools).map(([name, pool]) => [
    name,
    { ...WORKER_USER, ...pool },
  ]);
  return {
    supervisor: {
      state_dir: join(dir, "run"),
      pid_file: join(dir, "run/fcgivisor.pid"),
      ...settings.supervisor,
    },
    ...(settings.admin === undefined ? {} : { admin: settings.admin }),
    log: { file: "stderr", ...settings.log },
    ...(settings.metrics === undefined ? {} : { metrics: settings.metrics }),
    pools: Object.fromEntries(pools),
  };
}

function socketOf(dir: string, settings: Settings): string {
  const named = settings.admin?.["socket"];
  return typeof named === "string" ? named : join(dir, "run/admin.sock");
}

function logFileOf(settings: Settings): string | null {
  const file = settings.log?.["file"];
  return typeof file === "string" && isAbsolute(file) ? file : null;
}

/**
 * A port that can be bound on every address, below the range from which the kernel takes the ports of
 * outgoing connections, so that no client of a test can be sitting on it.
 */
async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (await bindable(port)) return port;
  }
  throw new Error("no free port found");
}

function bindable(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
  return promise;
}
